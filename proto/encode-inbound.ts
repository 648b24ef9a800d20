/** Encodes a pod's port, and the policies that apply to it, as messages. */

import type {
  AccessLog,
  AccessRule,
  CallerMatch,
  NamedAccessRules,
  NamedIdempotencyRules,
  RateLimit,
} from "../model/policy.ts";
import type { Inbound, InboundPort, PortPolicies } from "../model/resources.ts";
import { assertNever } from "../model/result.ts";
import { encodePathMatch, encodeRouteMatch } from "./encode-match.ts";
import {
  accessActions,
  accessModes,
  answerStores,
  loggedRequests,
  protocols,
  rateLimitBys,
  storeFailures,
} from "./enums.ts";
import type { AccessLog as AccessLogMessage } from "./generated/tulle/v1/AccessLog.ts";
import type { AccessRule as AccessRuleMessage } from "./generated/tulle/v1/AccessRule.ts";
import type { AccessRules as AccessRulesMessage } from "./generated/tulle/v1/AccessRules.ts";
import type { CallerMatch as CallerMatchMessage } from "./generated/tulle/v1/CallerMatch.ts";
import type { IdempotencyRules as IdempotencyRulesMessage } from "./generated/tulle/v1/IdempotencyRules.ts";
import type { Inbound as InboundMessage } from "./generated/tulle/v1/Inbound.ts";
import type { InboundPort as InboundPortMessage } from "./generated/tulle/v1/InboundPort.ts";
import type { PortPolicies as PortPoliciesMessage } from "./generated/tulle/v1/PortPolicies.ts";
import type { RateLimit as RateLimitMessage } from "./generated/tulle/v1/RateLimit.ts";

export function encodeInbound({ ports, unlisted = [], elsewhere }: Inbound): InboundMessage {
  return {
    ports: ports.map(encodePort),
    unlisted: unlisted.map(encodePort),
    ...(elsewhere && { elsewhere: encodePolicies(elsewhere) }),
  };
}

function encodePort({ port, protocol, ...policies }: InboundPort): InboundPortMessage {
  return {
    port,
    protocol: protocols[protocol],
    ...(Object.keys(policies).length > 0 && { policies: encodePolicies(policies) }),
  };
}

function encodePolicies(policies: PortPolicies): PortPoliciesMessage {
  const { access = [], mtls, rateLimits = [], idempotency, accessLog } = policies;
  return {
    access: access.map(encodeAccess),
    strictMtls: mtls === "strict",
    rateLimits: rateLimits.map(({ name, limits }) => ({ name, limits: limits.map(encodeRateLimit) })),
    ...(idempotency && { idempotency: encodeIdempotency(idempotency) }),
    ...encodeAccessLog(accessLog),
  };
}

/** A field to be spread into a message; empty if absent. */
export function encodeAccessLog(accessLog: AccessLog | undefined): { accessLog?: AccessLogMessage } {
  if (accessLog === undefined) return {};
  return { accessLog: { requests: loggedRequests[accessLog.requests], ratio: accessLog.ratio } };
}

function encodeIdempotency({
  methods,
  store,
  onStoreFailure,
  ...same
}: NamedIdempotencyRules): IdempotencyRulesMessage {
  return {
    ...same,
    methods: [...methods],
    store: answerStores[store],
    onStoreFailure: storeFailures[onStoreFailure],
  };
}

function encodeRateLimit({ by, matches, ...rate }: RateLimit): RateLimitMessage {
  return { ...rate, by: rateLimitBys[by], matches: matches.map(encodeRouteMatch) };
}

function encodeAccess({ name, action, mode, rules }: NamedAccessRules): AccessRulesMessage {
  return { name, action: accessActions[action], mode: accessModes[mode], rules: rules.map(encodeRule) };
}

function encodeRule({ from, methods, paths }: AccessRule): AccessRuleMessage {
  return { from: from.map(encodeCaller), methods: [...methods], paths: paths.map(encodePathMatch) };
}

function encodeCaller(caller: CallerMatch): CallerMatchMessage {
  switch (caller.kind) {
    case "identity":
      return { identity: caller.id };
    case "namespace": {
      const { namespace, trustDomain } = caller;
      return { namespace: { namespace, ...(trustDomain !== undefined && { trustDomain }) } };
    }
    case "trust-domain":
      return { trustDomain: caller.trustDomain };
    default:
      return assertNever(caller);
  }
}
