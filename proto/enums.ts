/** The closed sets of the model, as the enums of `resources.proto` spell them: `"connect-failure"` is `RETRY_CONDITION_CONNECT_FAILURE`. */

import type {
  AccessLog,
  AccessRules,
  AnswerStore,
  FailureCount,
  FailureKind,
  IdempotencyRules,
  RateLimit,
  RetryCondition,
  Sticky,
} from "../model/policy.ts";
import type { Endpoint, Protocol, ResourceKind } from "../model/resources.ts";
import type { AccessAction } from "./generated/tulle/v1/AccessAction.ts";
import type { AccessMode } from "./generated/tulle/v1/AccessMode.ts";
import type { AnswerStore as AnswerStoreMessage } from "./generated/tulle/v1/AnswerStore.ts";
import type { BreakerScope } from "./generated/tulle/v1/BreakerScope.ts";
import type { EndpointState } from "./generated/tulle/v1/EndpointState.ts";
import type { FailureCount as FailureCountMessage } from "./generated/tulle/v1/FailureCount.ts";
import type { FailureKind as FailureKindMessage } from "./generated/tulle/v1/FailureKind.ts";
import type { LoggedRequests } from "./generated/tulle/v1/LoggedRequests.ts";
import type { Protocol as ProtocolMessage } from "./generated/tulle/v1/Protocol.ts";
import type { RateLimitBy } from "./generated/tulle/v1/RateLimitBy.ts";
import type { ResourceKind as ResourceKindMessage } from "./generated/tulle/v1/ResourceKind.ts";
import type { RetryCondition as RetryConditionMessage } from "./generated/tulle/v1/RetryCondition.ts";
import type { StickyBy } from "./generated/tulle/v1/StickyBy.ts";
import type { StoreFailure } from "./generated/tulle/v1/StoreFailure.ts";

/** One closed set in both spellings. The type requires all words, of the model and of the .proto file. */
export type Spelling<Model extends string, Message extends string> = {
  readonly [M in Model]: Message;
};

type Spelled<Message> = Extract<Message, string>;

export const protocols: Spelling<Protocol, Spelled<ProtocolMessage>> = {
  http1: "PROTOCOL_HTTP1",
  http2: "PROTOCOL_HTTP2",
  grpc: "PROTOCOL_GRPC",
  tls: "PROTOCOL_TLS",
  opaque: "PROTOCOL_OPAQUE",
  detect: "PROTOCOL_DETECT",
};

export const resourceKinds: Spelling<ResourceKind, Spelled<ResourceKindMessage>> = {
  inbound: "RESOURCE_KIND_INBOUND",
  destination: "RESOURCE_KIND_DESTINATION",
  endpoints: "RESOURCE_KIND_ENDPOINTS",
};

export const endpointStates: Spelling<Endpoint["state"], Spelled<EndpointState>> = {
  ready: "ENDPOINT_STATE_READY",
  terminating: "ENDPOINT_STATE_TERMINATING",
};

export const loggedRequests: Spelling<AccessLog["requests"], Spelled<LoggedRequests>> = {
  none: "LOGGED_REQUESTS_NONE",
  errors: "LOGGED_REQUESTS_ERRORS",
  all: "LOGGED_REQUESTS_ALL",
};

export const accessActions: Spelling<AccessRules["action"], Spelled<AccessAction>> = {
  allow: "ACCESS_ACTION_ALLOW",
  deny: "ACCESS_ACTION_DENY",
};

export const accessModes: Spelling<AccessRules["mode"], Spelled<AccessMode>> = {
  enforce: "ACCESS_MODE_ENFORCE",
  audit: "ACCESS_MODE_AUDIT",
};

export const rateLimitBys: Spelling<RateLimit["by"], Spelled<RateLimitBy>> = {
  all: "RATE_LIMIT_BY_ALL",
  client: "RATE_LIMIT_BY_CLIENT",
};

export const answerStores: Spelling<AnswerStore, Spelled<AnswerStoreMessage>> = {
  memory: "ANSWER_STORE_MEMORY",
  redis: "ANSWER_STORE_REDIS",
};

export const storeFailures: Spelling<IdempotencyRules["onStoreFailure"], Spelled<StoreFailure>> = {
  reject: "STORE_FAILURE_REJECT",
  allow: "STORE_FAILURE_ALLOW",
};

export const retryConditions: Spelling<RetryCondition, Spelled<RetryConditionMessage>> = {
  "connect-failure": "RETRY_CONDITION_CONNECT_FAILURE",
  "connect-timeout": "RETRY_CONDITION_CONNECT_TIMEOUT",
  "refused-stream": "RETRY_CONDITION_REFUSED_STREAM",
  reset: "RETRY_CONDITION_RESET",
  "5xx": "RETRY_CONDITION_5XX",
  "429": "RETRY_CONDITION_429",
  "500": "RETRY_CONDITION_500",
  "502": "RETRY_CONDITION_502",
  "503": "RETRY_CONDITION_503",
  "504": "RETRY_CONDITION_504",
  cancelled: "RETRY_CONDITION_CANCELLED",
  unknown: "RETRY_CONDITION_UNKNOWN",
  "deadline-exceeded": "RETRY_CONDITION_DEADLINE_EXCEEDED",
  "resource-exhausted": "RETRY_CONDITION_RESOURCE_EXHAUSTED",
  aborted: "RETRY_CONDITION_ABORTED",
  internal: "RETRY_CONDITION_INTERNAL",
  unavailable: "RETRY_CONDITION_UNAVAILABLE",
  "data-loss": "RETRY_CONDITION_DATA_LOSS",
};

export const stickyBys: Spelling<Sticky["by"], Spelled<StickyBy>> = {
  header: "STICKY_BY_HEADER",
  cookie: "STICKY_BY_COOKIE",
};

export const breakerScopes: Spelling<"endpoint" | "service", Spelled<BreakerScope>> = {
  endpoint: "BREAKER_SCOPE_ENDPOINT",
  service: "BREAKER_SCOPE_SERVICE",
};

export const failureCounts: Spelling<FailureCount, Spelled<FailureCountMessage>> = {
  consecutive: "FAILURE_COUNT_CONSECUTIVE",
  window: "FAILURE_COUNT_WINDOW",
};

export const failureKinds: Spelling<FailureKind, Spelled<FailureKindMessage>> = {
  "5xx": "FAILURE_KIND_5XX",
  "connect-failure": "FAILURE_KIND_CONNECT_FAILURE",
  timeout: "FAILURE_KIND_TIMEOUT",
  "grpc-unavailable": "FAILURE_KIND_GRPC_UNAVAILABLE",
  "grpc-internal": "FAILURE_KIND_GRPC_INTERNAL",
  "grpc-deadline-exceeded": "FAILURE_KIND_GRPC_DEADLINE_EXCEEDED",
  "grpc-data-loss": "FAILURE_KIND_GRPC_DATA_LOSS",
};

/** The model's word for a message's; undefined if this build does not know it (then it arrives as a number). */
export function modelWord<Model extends string>(
  spelling: Spelling<Model, string>,
  message: unknown,
): Model | undefined {
  for (const model in spelling) if (spelling[model] === message) return model;
  return undefined;
}
