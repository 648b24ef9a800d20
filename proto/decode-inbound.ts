/** Decodes a pod's port, and the policies that apply to it, into the model, with checks. */

import type {
  AccessLog,
  AccessRule,
  CallerMatch,
  NamedAccessRules,
  NamedIdempotencyRules,
  NamedRateLimits,
  RateLimit,
} from "../model/policy.ts";
import type { Inbound, InboundPort, PortPolicies } from "../model/resources.ts";
import { decodePathMatch, decodeRouteMatch } from "./decode-match.ts";
import {
  accessActions,
  accessModes,
  answerStores,
  loggedRequests,
  protocols,
  rateLimitBys,
  storeFailures,
} from "./enums.ts";
import type { Faults } from "./faults.ts";
import type { AccessLog__Output } from "./generated/tulle/v1/AccessLog.ts";
import type { AccessRule__Output } from "./generated/tulle/v1/AccessRule.ts";
import type { AccessRules__Output } from "./generated/tulle/v1/AccessRules.ts";
import type { CallerMatch__Output } from "./generated/tulle/v1/CallerMatch.ts";
import type { IdempotencyRules__Output } from "./generated/tulle/v1/IdempotencyRules.ts";
import type { Inbound__Output } from "./generated/tulle/v1/Inbound.ts";
import type { InboundPort__Output } from "./generated/tulle/v1/InboundPort.ts";
import type { PortPolicies__Output } from "./generated/tulle/v1/PortPolicies.ts";
import type { RateLimit__Output } from "./generated/tulle/v1/RateLimit.ts";
import type { RateLimits__Output } from "./generated/tulle/v1/RateLimits.ts";

export function decodeInbound(message: Inbound__Output, faults: Faults): Omit<Inbound, "name"> {
  const { ports, unlisted, elsewhere } = message;
  return {
    ports: ports.map((port, i) => decodePort(`ports[${i}]`, port, faults)),
    ...(unlisted.length > 0 && { unlisted: unlisted.map((port, i) => decodePort(`unlisted[${i}]`, port, faults)) }),
    ...(elsewhere && { elsewhere: decodePolicies("elsewhere", elsewhere, faults) }),
  };
}

function decodePort(at: string, message: InboundPort__Output, faults: Faults): InboundPort {
  return {
    port: faults.integer(`${at}.port`, message.port, 1, 65_535),
    protocol: faults.word(`${at}.protocol`, protocols, message.protocol),
    ...(message.policies && decodePolicies(`${at}.policies`, message.policies, faults)),
  };
}

function decodePolicies(at: string, message: PortPolicies__Output, faults: Faults): PortPolicies {
  const { access, strictMtls, rateLimits, idempotency, accessLog } = message;
  return {
    ...(access.length > 0 && { access: access.map((rules, i) => decodeAccess(`${at}.access[${i}]`, rules, faults)) }),
    ...(strictMtls && { mtls: "strict" }),
    ...(rateLimits.length > 0 && {
      rateLimits: rateLimits.map((limits, i) => decodeRateLimits(`${at}.rateLimits[${i}]`, limits, faults)),
    }),
    ...(idempotency && { idempotency: decodeIdempotency(`${at}.idempotency`, idempotency, faults) }),
    ...decodeAccessLog(`${at}.accessLog`, accessLog, faults),
  };
}

/** A field to be spread into the model; empty if absent. */
export function decodeAccessLog(
  at: string,
  message: AccessLog__Output | null | undefined,
  faults: Faults,
): { accessLog?: AccessLog } {
  if (!message) return {};
  const requests = faults.word(`${at}.requests`, loggedRequests, message.requests);
  return { accessLog: { requests, ratio: faults.number(`${at}.ratio`, message.ratio, 0, 1) } };
}

function decodeIdempotency(at: string, message: IdempotencyRules__Output, faults: Faults): NamedIdempotencyRules {
  return {
    name: faults.filled(`${at}.name`, message.name),
    methods: message.methods.map((method, i) => faults.filled(`${at}.methods[${i}]`, method)),
    required: message.required,
    ttlMs: faults.integer(`${at}.ttlMs`, message.ttlMs, 0),
    maxAnswerBytes: faults.integer(`${at}.maxAnswerBytes`, message.maxAnswerBytes, 0),
    store: faults.word(`${at}.store`, answerStores, message.store),
    onStoreFailure: faults.word(`${at}.onStoreFailure`, storeFailures, message.onStoreFailure),
  };
}

function decodeRateLimits(at: string, { name, limits }: RateLimits__Output, faults: Faults): NamedRateLimits {
  return {
    name: faults.filled(`${at}.name`, name),
    limits: limits.map((limit, i) => decodeRateLimit(`${at}.limits[${i}]`, limit, faults)),
  };
}

function decodeRateLimit(at: string, message: RateLimit__Output, faults: Faults): RateLimit {
  return {
    requests: faults.integer(`${at}.requests`, message.requests, 1),
    perMs: faults.integer(`${at}.perMs`, message.perMs, 1),
    burst: faults.integer(`${at}.burst`, message.burst, 1),
    by: faults.word(`${at}.by`, rateLimitBys, message.by),
    matches: message.matches.map((match, i) => decodeRouteMatch(`${at}.matches[${i}]`, match, faults)),
  };
}

function decodeAccess(at: string, message: AccessRules__Output, faults: Faults): NamedAccessRules {
  return {
    name: faults.filled(`${at}.name`, message.name),
    action: faults.word(`${at}.action`, accessActions, message.action),
    mode: faults.word(`${at}.mode`, accessModes, message.mode),
    rules: message.rules.map((rule, i) => decodeRule(`${at}.rules[${i}]`, rule, faults)),
  };
}

function decodeRule(at: string, message: AccessRule__Output, faults: Faults): AccessRule {
  return {
    from: message.from.map((caller, i) => decodeCaller(`${at}.from[${i}]`, caller, faults)),
    methods: message.methods.map((method, i) => faults.filled(`${at}.methods[${i}]`, method)),
    paths: message.paths.map((path, i) => decodePathMatch(`${at}.paths[${i}]`, path, faults)),
  };
}

/** An unknown kind must not be taken for a caller that matches anyone, nor for one that matches nobody. */
function decodeCaller(at: string, message: CallerMatch__Output, faults: Faults): CallerMatch {
  const { identity, namespace, trustDomain } = message;
  if (identity !== undefined) return { kind: "identity", id: faults.filled(`${at}.identity`, identity) };
  if (namespace) {
    const of = namespace.trustDomain;
    return {
      kind: "namespace",
      namespace: faults.filled(`${at}.namespace.namespace`, namespace.namespace),
      ...(of !== undefined && { trustDomain: faults.filled(`${at}.namespace.trustDomain`, of) }),
    };
  }
  if (trustDomain === undefined) faults.add(at, "must be an identity, a namespace or a trust domain");
  return { kind: "trust-domain", trustDomain: faults.filled(`${at}.trustDomain`, trustDomain) };
}
