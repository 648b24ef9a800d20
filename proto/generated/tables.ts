// Made from tulle/v1/*.proto.

import type { FieldTable } from '../wire.ts';

export const enums = {
  "ResourceKind": {
    "RESOURCE_KIND_UNSPECIFIED": 0,
    "RESOURCE_KIND_INBOUND": 1,
    "RESOURCE_KIND_DESTINATION": 2,
    "RESOURCE_KIND_ENDPOINTS": 3
  },
  "Protocol": {
    "PROTOCOL_UNSPECIFIED": 0,
    "PROTOCOL_HTTP1": 1,
    "PROTOCOL_HTTP2": 2,
    "PROTOCOL_GRPC": 3,
    "PROTOCOL_TLS": 4,
    "PROTOCOL_OPAQUE": 5,
    "PROTOCOL_DETECT": 6
  },
  "LoggedRequests": {
    "LOGGED_REQUESTS_UNSPECIFIED": 0,
    "LOGGED_REQUESTS_NONE": 1,
    "LOGGED_REQUESTS_ERRORS": 2,
    "LOGGED_REQUESTS_ALL": 3
  },
  "AnswerStore": {
    "ANSWER_STORE_UNSPECIFIED": 0,
    "ANSWER_STORE_MEMORY": 1,
    "ANSWER_STORE_REDIS": 2
  },
  "StoreFailure": {
    "STORE_FAILURE_UNSPECIFIED": 0,
    "STORE_FAILURE_REJECT": 1,
    "STORE_FAILURE_ALLOW": 2
  },
  "RateLimitBy": {
    "RATE_LIMIT_BY_UNSPECIFIED": 0,
    "RATE_LIMIT_BY_ALL": 1,
    "RATE_LIMIT_BY_CLIENT": 2
  },
  "AccessAction": {
    "ACCESS_ACTION_UNSPECIFIED": 0,
    "ACCESS_ACTION_ALLOW": 1,
    "ACCESS_ACTION_DENY": 2
  },
  "AccessMode": {
    "ACCESS_MODE_UNSPECIFIED": 0,
    "ACCESS_MODE_ENFORCE": 1,
    "ACCESS_MODE_AUDIT": 2
  },
  "StickyBy": {
    "STICKY_BY_UNSPECIFIED": 0,
    "STICKY_BY_HEADER": 1,
    "STICKY_BY_COOKIE": 2
  },
  "EndpointState": {
    "ENDPOINT_STATE_UNSPECIFIED": 0,
    "ENDPOINT_STATE_READY": 1,
    "ENDPOINT_STATE_TERMINATING": 2
  },
  "RetryCondition": {
    "RETRY_CONDITION_UNSPECIFIED": 0,
    "RETRY_CONDITION_CONNECT_FAILURE": 1,
    "RETRY_CONDITION_CONNECT_TIMEOUT": 2,
    "RETRY_CONDITION_REFUSED_STREAM": 3,
    "RETRY_CONDITION_RESET": 4,
    "RETRY_CONDITION_5XX": 5,
    "RETRY_CONDITION_429": 6,
    "RETRY_CONDITION_500": 7,
    "RETRY_CONDITION_502": 8,
    "RETRY_CONDITION_503": 9,
    "RETRY_CONDITION_504": 10,
    "RETRY_CONDITION_CANCELLED": 11,
    "RETRY_CONDITION_UNKNOWN": 12,
    "RETRY_CONDITION_DEADLINE_EXCEEDED": 13,
    "RETRY_CONDITION_RESOURCE_EXHAUSTED": 14,
    "RETRY_CONDITION_ABORTED": 15,
    "RETRY_CONDITION_INTERNAL": 16,
    "RETRY_CONDITION_UNAVAILABLE": 17,
    "RETRY_CONDITION_DATA_LOSS": 18
  },
  "BreakerScope": {
    "BREAKER_SCOPE_UNSPECIFIED": 0,
    "BREAKER_SCOPE_ENDPOINT": 1,
    "BREAKER_SCOPE_SERVICE": 2
  },
  "FailureCount": {
    "FAILURE_COUNT_UNSPECIFIED": 0,
    "FAILURE_COUNT_CONSECUTIVE": 1,
    "FAILURE_COUNT_WINDOW": 2
  },
  "FailureKind": {
    "FAILURE_KIND_UNSPECIFIED": 0,
    "FAILURE_KIND_5XX": 1,
    "FAILURE_KIND_CONNECT_FAILURE": 2,
    "FAILURE_KIND_TIMEOUT": 3,
    "FAILURE_KIND_GRPC_UNAVAILABLE": 4,
    "FAILURE_KIND_GRPC_INTERNAL": 5,
    "FAILURE_KIND_GRPC_DEADLINE_EXCEEDED": 6,
    "FAILURE_KIND_GRPC_DATA_LOSS": 7
  }
} as const;

export const messages = {
  "SidecarMessage": [
    {
      "name": "hello",
      "number": 1,
      "kind": "message",
      "of": "Hello",
      "oneof": "message"
    },
    {
      "name": "subscribe",
      "number": 2,
      "kind": "message",
      "of": "Subscribe",
      "oneof": "message"
    },
    {
      "name": "unsubscribe",
      "number": 3,
      "kind": "message",
      "of": "Unsubscribe",
      "oneof": "message"
    },
    {
      "name": "ack",
      "number": 4,
      "kind": "message",
      "of": "Ack",
      "oneof": "message"
    },
    {
      "name": "nack",
      "number": 5,
      "kind": "message",
      "of": "Nack",
      "oneof": "message"
    },
    {
      "name": "report",
      "number": 6,
      "kind": "message",
      "of": "TrafficReport",
      "oneof": "message"
    }
  ],
  "Hello": [
    {
      "name": "namespace",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "workload",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "pod",
      "number": 3,
      "kind": "string"
    },
    {
      "name": "proxyVersion",
      "number": 4,
      "kind": "string"
    },
    {
      "name": "trustedRoots",
      "number": 5,
      "kind": "string",
      "repeated": true
    },
    {
      "name": "takesSubscriptions",
      "number": 6,
      "kind": "bool"
    }
  ],
  "Subscribe": [
    {
      "name": "subscriptions",
      "number": 1,
      "kind": "message",
      "of": "Subscription",
      "repeated": true
    }
  ],
  "Subscription": [
    {
      "name": "resource",
      "number": 1,
      "kind": "message",
      "of": "ResourceName"
    },
    {
      "name": "knownVersion",
      "number": 2,
      "kind": "string"
    }
  ],
  "Unsubscribe": [
    {
      "name": "resources",
      "number": 1,
      "kind": "message",
      "of": "ResourceName",
      "repeated": true
    }
  ],
  "Ack": [
    {
      "name": "resource",
      "number": 1,
      "kind": "message",
      "of": "ResourceName"
    },
    {
      "name": "version",
      "number": 2,
      "kind": "string"
    }
  ],
  "Nack": [
    {
      "name": "resource",
      "number": 1,
      "kind": "message",
      "of": "ResourceName"
    },
    {
      "name": "version",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "reason",
      "number": 3,
      "kind": "string"
    }
  ],
  "TrafficReport": [
    {
      "name": "windowMs",
      "number": 1,
      "kind": "uint32"
    },
    {
      "name": "edges",
      "number": 2,
      "kind": "message",
      "of": "EdgeTraffic",
      "repeated": true
    },
    {
      "name": "latencies",
      "number": 3,
      "kind": "message",
      "of": "ServiceLatency",
      "repeated": true
    },
    {
      "name": "breakers",
      "number": 4,
      "kind": "message",
      "of": "BreakerReport",
      "repeated": true
    },
    {
      "name": "certificateExpiryUnixSeconds",
      "number": 5,
      "kind": "uint64"
    },
    {
      "name": "spans",
      "number": 6,
      "kind": "message",
      "of": "ReportedSpan",
      "repeated": true
    },
    {
      "name": "lostCalls",
      "number": 7,
      "kind": "uint32"
    }
  ],
  "ReportedSpan": [
    {
      "name": "traceId",
      "number": 1,
      "kind": "bytes"
    },
    {
      "name": "spanId",
      "number": 2,
      "kind": "bytes"
    },
    {
      "name": "parentSpanId",
      "number": 3,
      "kind": "bytes"
    },
    {
      "name": "name",
      "number": 4,
      "kind": "string"
    },
    {
      "name": "server",
      "number": 5,
      "kind": "bool"
    },
    {
      "name": "failed",
      "number": 6,
      "kind": "bool"
    },
    {
      "name": "startUnixMicroseconds",
      "number": 7,
      "kind": "uint64"
    },
    {
      "name": "durationMicroseconds",
      "number": 8,
      "kind": "uint32"
    },
    {
      "name": "attributes",
      "number": 9,
      "kind": "message",
      "of": "SpanAttribute",
      "repeated": true
    }
  ],
  "SpanAttribute": [
    {
      "name": "key",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "value",
      "number": 2,
      "kind": "string"
    }
  ],
  "EdgeTraffic": [
    {
      "name": "service",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "backend",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "requests",
      "number": 3,
      "kind": "uint32"
    },
    {
      "name": "failures",
      "number": 4,
      "kind": "uint32"
    },
    {
      "name": "mutualTls",
      "number": 5,
      "kind": "uint32"
    },
    {
      "name": "plaintext",
      "number": 6,
      "kind": "uint32"
    }
  ],
  "ServiceLatency": [
    {
      "name": "service",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "cumulative",
      "number": 2,
      "kind": "uint32",
      "repeated": true
    }
  ],
  "BreakerReport": [
    {
      "name": "backend",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "endpoint",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "open",
      "number": 3,
      "kind": "bool"
    }
  ],
  "ResourceName": [
    {
      "name": "kind",
      "number": 1,
      "kind": "enum",
      "of": "ResourceKind"
    },
    {
      "name": "name",
      "number": 2,
      "kind": "string"
    }
  ],
  "Update": [
    {
      "name": "resources",
      "number": 1,
      "kind": "message",
      "of": "Resource",
      "repeated": true
    },
    {
      "name": "absent",
      "number": 2,
      "kind": "message",
      "of": "ResourceName",
      "repeated": true
    },
    {
      "name": "refused",
      "number": 3,
      "kind": "message",
      "of": "Refusal",
      "repeated": true
    },
    {
      "name": "renewWithinMs",
      "number": 4,
      "kind": "uint32"
    },
    {
      "name": "subscribed",
      "number": 5,
      "kind": "message",
      "of": "ResourceName",
      "repeated": true
    }
  ],
  "Resource": [
    {
      "name": "name",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "version",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "inbound",
      "number": 3,
      "kind": "message",
      "of": "Inbound",
      "oneof": "body"
    },
    {
      "name": "destination",
      "number": 4,
      "kind": "message",
      "of": "Destination",
      "oneof": "body"
    },
    {
      "name": "endpoints",
      "number": 5,
      "kind": "message",
      "of": "Endpoints",
      "oneof": "body"
    }
  ],
  "Refusal": [
    {
      "name": "resource",
      "number": 1,
      "kind": "message",
      "of": "ResourceName"
    },
    {
      "name": "reason",
      "number": 2,
      "kind": "string"
    }
  ],
  "ServiceRef": [
    {
      "name": "namespace",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "name",
      "number": 2,
      "kind": "string"
    }
  ],
  "Inbound": [
    {
      "name": "ports",
      "number": 1,
      "kind": "message",
      "of": "InboundPort",
      "repeated": true
    },
    {
      "name": "unlisted",
      "number": 2,
      "kind": "message",
      "of": "InboundPort",
      "repeated": true
    },
    {
      "name": "elsewhere",
      "number": 3,
      "kind": "message",
      "of": "PortPolicies"
    }
  ],
  "InboundPort": [
    {
      "name": "port",
      "number": 1,
      "kind": "uint32"
    },
    {
      "name": "protocol",
      "number": 2,
      "kind": "enum",
      "of": "Protocol"
    },
    {
      "name": "policies",
      "number": 3,
      "kind": "message",
      "of": "PortPolicies"
    }
  ],
  "PortPolicies": [
    {
      "name": "access",
      "number": 1,
      "kind": "message",
      "of": "AccessRules",
      "repeated": true
    },
    {
      "name": "strictMtls",
      "number": 2,
      "kind": "bool"
    },
    {
      "name": "rateLimits",
      "number": 3,
      "kind": "message",
      "of": "RateLimits",
      "repeated": true
    },
    {
      "name": "idempotency",
      "number": 4,
      "kind": "message",
      "of": "IdempotencyRules",
      "oneof": "_idempotency"
    },
    {
      "name": "accessLog",
      "number": 5,
      "kind": "message",
      "of": "AccessLog",
      "oneof": "_accessLog"
    }
  ],
  "AccessLog": [
    {
      "name": "requests",
      "number": 1,
      "kind": "enum",
      "of": "LoggedRequests"
    },
    {
      "name": "ratio",
      "number": 2,
      "kind": "double"
    }
  ],
  "IdempotencyRules": [
    {
      "name": "name",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "methods",
      "number": 2,
      "kind": "string",
      "repeated": true
    },
    {
      "name": "required",
      "number": 3,
      "kind": "bool"
    },
    {
      "name": "ttlMs",
      "number": 4,
      "kind": "uint64"
    },
    {
      "name": "maxAnswerBytes",
      "number": 5,
      "kind": "uint64"
    },
    {
      "name": "store",
      "number": 6,
      "kind": "enum",
      "of": "AnswerStore"
    },
    {
      "name": "onStoreFailure",
      "number": 7,
      "kind": "enum",
      "of": "StoreFailure"
    }
  ],
  "RateLimits": [
    {
      "name": "name",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "limits",
      "number": 2,
      "kind": "message",
      "of": "RateLimit",
      "repeated": true
    }
  ],
  "RateLimit": [
    {
      "name": "requests",
      "number": 1,
      "kind": "uint64"
    },
    {
      "name": "perMs",
      "number": 2,
      "kind": "uint64"
    },
    {
      "name": "burst",
      "number": 3,
      "kind": "uint64"
    },
    {
      "name": "by",
      "number": 4,
      "kind": "enum",
      "of": "RateLimitBy"
    },
    {
      "name": "matches",
      "number": 5,
      "kind": "message",
      "of": "RouteMatch",
      "repeated": true
    }
  ],
  "AccessRules": [
    {
      "name": "name",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "action",
      "number": 2,
      "kind": "enum",
      "of": "AccessAction"
    },
    {
      "name": "mode",
      "number": 3,
      "kind": "enum",
      "of": "AccessMode"
    },
    {
      "name": "rules",
      "number": 4,
      "kind": "message",
      "of": "AccessRule",
      "repeated": true
    }
  ],
  "AccessRule": [
    {
      "name": "from",
      "number": 1,
      "kind": "message",
      "of": "CallerMatch",
      "repeated": true
    },
    {
      "name": "methods",
      "number": 2,
      "kind": "string",
      "repeated": true
    },
    {
      "name": "paths",
      "number": 3,
      "kind": "message",
      "of": "PathMatch",
      "repeated": true
    }
  ],
  "CallerMatch": [
    {
      "name": "identity",
      "number": 1,
      "kind": "string",
      "oneof": "caller"
    },
    {
      "name": "namespace",
      "number": 2,
      "kind": "message",
      "of": "NamespaceMatch",
      "oneof": "caller"
    },
    {
      "name": "trustDomain",
      "number": 3,
      "kind": "string",
      "oneof": "caller"
    }
  ],
  "NamespaceMatch": [
    {
      "name": "namespace",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "trustDomain",
      "number": 2,
      "kind": "string",
      "oneof": "_trustDomain"
    }
  ],
  "Destination": [
    {
      "name": "service",
      "number": 1,
      "kind": "message",
      "of": "ServiceRef"
    },
    {
      "name": "protocol",
      "number": 2,
      "kind": "enum",
      "of": "Protocol"
    },
    {
      "name": "routes",
      "number": 3,
      "kind": "message",
      "of": "Route",
      "repeated": true
    },
    {
      "name": "consumers",
      "number": 4,
      "kind": "message",
      "of": "ConsumerRoutes",
      "repeated": true
    },
    {
      "name": "samplingRatio",
      "number": 5,
      "kind": "double",
      "oneof": "_samplingRatio"
    },
    {
      "name": "accessLog",
      "number": 6,
      "kind": "message",
      "of": "AccessLog",
      "oneof": "_accessLog"
    }
  ],
  "ConsumerRoutes": [
    {
      "name": "namespace",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "routes",
      "number": 2,
      "kind": "message",
      "of": "Route",
      "repeated": true
    }
  ],
  "Route": [
    {
      "name": "name",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "matches",
      "number": 2,
      "kind": "message",
      "of": "RouteMatch",
      "repeated": true
    },
    {
      "name": "backends",
      "number": 3,
      "kind": "message",
      "of": "WeightedBackend",
      "repeated": true
    },
    {
      "name": "retry",
      "number": 4,
      "kind": "message",
      "of": "RetryPolicy",
      "oneof": "_retry"
    },
    {
      "name": "timeout",
      "number": 5,
      "kind": "message",
      "of": "TimeoutPolicy"
    },
    {
      "name": "filters",
      "number": 6,
      "kind": "message",
      "of": "RouteFilter",
      "repeated": true
    },
    {
      "name": "mirrors",
      "number": 7,
      "kind": "message",
      "of": "RouteMirror",
      "repeated": true
    },
    {
      "name": "sticky",
      "number": 8,
      "kind": "message",
      "of": "Sticky",
      "oneof": "_sticky"
    },
    {
      "name": "fault",
      "number": 9,
      "kind": "message",
      "of": "FaultPolicy",
      "oneof": "_fault"
    },
    {
      "name": "samplingRatio",
      "number": 10,
      "kind": "double",
      "oneof": "_samplingRatio"
    },
    {
      "name": "accessLog",
      "number": 11,
      "kind": "message",
      "of": "AccessLog",
      "oneof": "_accessLog"
    }
  ],
  "FaultPolicy": [
    {
      "name": "untilUnixMs",
      "number": 1,
      "kind": "uint64"
    },
    {
      "name": "matches",
      "number": 2,
      "kind": "message",
      "of": "RouteMatch",
      "repeated": true
    },
    {
      "name": "delay",
      "number": 3,
      "kind": "message",
      "of": "FaultDelay",
      "oneof": "_delay"
    },
    {
      "name": "abort",
      "number": 4,
      "kind": "message",
      "of": "FaultAbort",
      "oneof": "_abort"
    }
  ],
  "FaultDelay": [
    {
      "name": "delayMs",
      "number": 1,
      "kind": "uint64"
    },
    {
      "name": "percent",
      "number": 2,
      "kind": "double"
    }
  ],
  "FaultAbort": [
    {
      "name": "http",
      "number": 1,
      "kind": "uint32",
      "oneof": "status"
    },
    {
      "name": "grpc",
      "number": 2,
      "kind": "uint32",
      "oneof": "status"
    },
    {
      "name": "percent",
      "number": 3,
      "kind": "double"
    }
  ],
  "RouteFilter": [
    {
      "name": "requestHeaders",
      "number": 1,
      "kind": "message",
      "of": "HeaderEdits",
      "oneof": "filter"
    },
    {
      "name": "responseHeaders",
      "number": 2,
      "kind": "message",
      "of": "HeaderEdits",
      "oneof": "filter"
    },
    {
      "name": "redirect",
      "number": 3,
      "kind": "message",
      "of": "Redirect",
      "oneof": "filter"
    },
    {
      "name": "rewrite",
      "number": 4,
      "kind": "message",
      "of": "Rewrite",
      "oneof": "filter"
    },
    {
      "name": "unsupported",
      "number": 5,
      "kind": "string",
      "oneof": "filter"
    }
  ],
  "HeaderEdits": [
    {
      "name": "set",
      "number": 1,
      "kind": "message",
      "of": "HeaderField",
      "repeated": true
    },
    {
      "name": "add",
      "number": 2,
      "kind": "message",
      "of": "HeaderField",
      "repeated": true
    },
    {
      "name": "remove",
      "number": 3,
      "kind": "string",
      "repeated": true
    }
  ],
  "HeaderField": [
    {
      "name": "name",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "value",
      "number": 2,
      "kind": "string"
    }
  ],
  "Redirect": [
    {
      "name": "scheme",
      "number": 1,
      "kind": "string",
      "oneof": "_scheme"
    },
    {
      "name": "hostname",
      "number": 2,
      "kind": "string",
      "oneof": "_hostname"
    },
    {
      "name": "path",
      "number": 3,
      "kind": "message",
      "of": "PathRewrite",
      "oneof": "_path"
    },
    {
      "name": "port",
      "number": 4,
      "kind": "uint32",
      "oneof": "_port"
    },
    {
      "name": "status",
      "number": 5,
      "kind": "uint32"
    }
  ],
  "Rewrite": [
    {
      "name": "hostname",
      "number": 1,
      "kind": "string",
      "oneof": "_hostname"
    },
    {
      "name": "path",
      "number": 2,
      "kind": "message",
      "of": "PathRewrite",
      "oneof": "_path"
    }
  ],
  "PathRewrite": [
    {
      "name": "full",
      "number": 1,
      "kind": "string",
      "oneof": "rewrite"
    },
    {
      "name": "prefix",
      "number": 2,
      "kind": "string",
      "oneof": "rewrite"
    }
  ],
  "RouteMirror": [
    {
      "name": "endpoints",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "service",
      "number": 2,
      "kind": "message",
      "of": "ServiceRef"
    },
    {
      "name": "percent",
      "number": 3,
      "kind": "double"
    }
  ],
  "Sticky": [
    {
      "name": "by",
      "number": 1,
      "kind": "enum",
      "of": "StickyBy"
    },
    {
      "name": "name",
      "number": 2,
      "kind": "string"
    }
  ],
  "RouteMatch": [
    {
      "name": "method",
      "number": 1,
      "kind": "string",
      "oneof": "_method"
    },
    {
      "name": "path",
      "number": 2,
      "kind": "message",
      "of": "PathMatch",
      "oneof": "_path"
    },
    {
      "name": "headers",
      "number": 3,
      "kind": "message",
      "of": "ValueMatch",
      "repeated": true
    },
    {
      "name": "query",
      "number": 4,
      "kind": "message",
      "of": "ValueMatch",
      "repeated": true
    }
  ],
  "PathMatch": [
    {
      "name": "exact",
      "number": 1,
      "kind": "string",
      "oneof": "match"
    },
    {
      "name": "prefix",
      "number": 2,
      "kind": "string",
      "oneof": "match"
    },
    {
      "name": "regex",
      "number": 3,
      "kind": "string",
      "oneof": "match"
    }
  ],
  "ValueMatch": [
    {
      "name": "name",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "exact",
      "number": 2,
      "kind": "string",
      "oneof": "match"
    },
    {
      "name": "regex",
      "number": 3,
      "kind": "string",
      "oneof": "match"
    },
    {
      "name": "present",
      "number": 4,
      "kind": "bool",
      "oneof": "match"
    }
  ],
  "WeightedBackend": [
    {
      "name": "endpoints",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "service",
      "number": 2,
      "kind": "message",
      "of": "ServiceRef"
    },
    {
      "name": "weight",
      "number": 3,
      "kind": "uint32"
    },
    {
      "name": "filters",
      "number": 4,
      "kind": "message",
      "of": "RouteFilter",
      "repeated": true
    },
    {
      "name": "invalid",
      "number": 5,
      "kind": "string",
      "oneof": "_invalid"
    }
  ],
  "Endpoints": [
    {
      "name": "service",
      "number": 1,
      "kind": "message",
      "of": "ServiceRef"
    },
    {
      "name": "protocol",
      "number": 2,
      "kind": "enum",
      "of": "Protocol"
    },
    {
      "name": "breaker",
      "number": 3,
      "kind": "message",
      "of": "CircuitBreakerPolicy",
      "oneof": "_breaker"
    },
    {
      "name": "endpoints",
      "number": 4,
      "kind": "message",
      "of": "Endpoint",
      "repeated": true
    },
    {
      "name": "warmUpMs",
      "number": 5,
      "kind": "uint64",
      "oneof": "_warmUpMs"
    },
    {
      "name": "nodeLocal",
      "number": 6,
      "kind": "bool"
    },
    {
      "name": "affinityMs",
      "number": 7,
      "kind": "uint64",
      "oneof": "_affinityMs"
    },
    {
      "name": "idempotency",
      "number": 8,
      "kind": "message",
      "of": "KnownKeys",
      "oneof": "_idempotency"
    }
  ],
  "KnownKeys": [
    {
      "name": "methods",
      "number": 1,
      "kind": "string",
      "repeated": true
    },
    {
      "name": "store",
      "number": 2,
      "kind": "enum",
      "of": "AnswerStore"
    }
  ],
  "Endpoint": [
    {
      "name": "address",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "pod",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "identity",
      "number": 3,
      "kind": "string",
      "oneof": "_identity"
    },
    {
      "name": "state",
      "number": 4,
      "kind": "enum",
      "of": "EndpointState"
    },
    {
      "name": "zone",
      "number": 5,
      "kind": "string",
      "oneof": "_zone"
    },
    {
      "name": "node",
      "number": 6,
      "kind": "string",
      "oneof": "_node"
    },
    {
      "name": "forZones",
      "number": 7,
      "kind": "string",
      "repeated": true
    },
    {
      "name": "forNodes",
      "number": 8,
      "kind": "string",
      "repeated": true
    }
  ],
  "RetryPolicy": [
    {
      "name": "maxAttempts",
      "number": 1,
      "kind": "uint32"
    },
    {
      "name": "initialDelayMs",
      "number": 2,
      "kind": "uint64"
    },
    {
      "name": "backoffMultiplier",
      "number": 3,
      "kind": "double"
    },
    {
      "name": "maxDelayMs",
      "number": 4,
      "kind": "uint64"
    },
    {
      "name": "jitter",
      "number": 5,
      "kind": "double"
    },
    {
      "name": "perTryTimeoutMs",
      "number": 6,
      "kind": "uint64",
      "oneof": "_perTryTimeoutMs"
    },
    {
      "name": "retryOn",
      "number": 7,
      "kind": "enum",
      "of": "RetryCondition",
      "repeated": true
    },
    {
      "name": "budget",
      "number": 8,
      "kind": "message",
      "of": "RetryBudget"
    },
    {
      "name": "retryNonIdempotent",
      "number": 9,
      "kind": "bool"
    }
  ],
  "RetryBudget": [
    {
      "name": "percent",
      "number": 1,
      "kind": "double"
    },
    {
      "name": "windowMs",
      "number": 2,
      "kind": "uint64"
    },
    {
      "name": "minRetriesPerSecond",
      "number": 3,
      "kind": "double"
    }
  ],
  "TimeoutPolicy": [
    {
      "name": "requestMs",
      "number": 1,
      "kind": "uint64",
      "oneof": "_requestMs"
    },
    {
      "name": "perTryMs",
      "number": 2,
      "kind": "uint64",
      "oneof": "_perTryMs"
    },
    {
      "name": "idleMs",
      "number": 3,
      "kind": "uint64",
      "oneof": "_idleMs"
    },
    {
      "name": "connectMs",
      "number": 4,
      "kind": "uint64",
      "oneof": "_connectMs"
    }
  ],
  "CircuitBreakerPolicy": [
    {
      "name": "scope",
      "number": 1,
      "kind": "enum",
      "of": "BreakerScope"
    },
    {
      "name": "failureThreshold",
      "number": 2,
      "kind": "uint32"
    },
    {
      "name": "failureWindowMs",
      "number": 3,
      "kind": "uint64"
    },
    {
      "name": "count",
      "number": 4,
      "kind": "enum",
      "of": "FailureCount"
    },
    {
      "name": "openDurationMs",
      "number": 5,
      "kind": "uint64"
    },
    {
      "name": "maxOpenDurationMs",
      "number": 6,
      "kind": "uint64",
      "oneof": "_maxOpenDurationMs"
    },
    {
      "name": "successThreshold",
      "number": 7,
      "kind": "uint32"
    },
    {
      "name": "maxOpenPercent",
      "number": 8,
      "kind": "double"
    },
    {
      "name": "failures",
      "number": 9,
      "kind": "enum",
      "of": "FailureKind",
      "repeated": true
    },
    {
      "name": "maxRequests",
      "number": 10,
      "kind": "uint32",
      "oneof": "_maxRequests"
    },
    {
      "name": "maxConnections",
      "number": 11,
      "kind": "uint32",
      "oneof": "_maxConnections"
    },
    {
      "name": "maxPendingRequests",
      "number": 12,
      "kind": "uint32",
      "oneof": "_maxPendingRequests"
    }
  ],
  "IssueRequest": [
    {
      "name": "csrDer",
      "number": 1,
      "kind": "bytes"
    },
    {
      "name": "token",
      "number": 2,
      "kind": "string"
    }
  ],
  "IssueResponse": [
    {
      "name": "certificateChainDer",
      "number": 1,
      "kind": "bytes",
      "repeated": true
    },
    {
      "name": "trustBundleDer",
      "number": 2,
      "kind": "bytes",
      "repeated": true
    },
    {
      "name": "lifetimeMs",
      "number": 3,
      "kind": "uint64"
    }
  ],
  "FollowRequest": [
    {
      "name": "replica",
      "number": 1,
      "kind": "string"
    }
  ],
  "AckTable": [
    {
      "name": "replica",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "resources",
      "number": 2,
      "kind": "message",
      "of": "ResourceAcks",
      "repeated": true
    },
    {
      "name": "dropped",
      "number": 3,
      "kind": "message",
      "of": "ResourceName",
      "repeated": true
    },
    {
      "name": "certificates",
      "number": 4,
      "kind": "message",
      "of": "CertificateTable"
    }
  ],
  "CertificateTable": [
    {
      "name": "trustedRoots",
      "number": 1,
      "kind": "string",
      "repeated": true
    },
    {
      "name": "signerKeyId",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "unwritten",
      "number": 3,
      "kind": "string",
      "repeated": true
    },
    {
      "name": "joined",
      "number": 4,
      "kind": "message",
      "of": "SidecarCertificate",
      "repeated": true
    },
    {
      "name": "left",
      "number": 5,
      "kind": "uint32",
      "repeated": true
    }
  ],
  "SidecarCertificate": [
    {
      "name": "stream",
      "number": 1,
      "kind": "uint32"
    },
    {
      "name": "namespace",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "workload",
      "number": 3,
      "kind": "string"
    },
    {
      "name": "pod",
      "number": 4,
      "kind": "string"
    },
    {
      "name": "identity",
      "number": 5,
      "kind": "string"
    },
    {
      "name": "expiryUnixSeconds",
      "number": 6,
      "kind": "uint64"
    },
    {
      "name": "signerKeyId",
      "number": 7,
      "kind": "string"
    },
    {
      "name": "trustedRoots",
      "number": 8,
      "kind": "string",
      "repeated": true
    }
  ],
  "ResourceAcks": [
    {
      "name": "resource",
      "number": 1,
      "kind": "message",
      "of": "ResourceName"
    },
    {
      "name": "version",
      "number": 2,
      "kind": "string"
    },
    {
      "name": "subscribers",
      "number": 3,
      "kind": "uint32"
    },
    {
      "name": "acked",
      "number": 4,
      "kind": "uint32"
    },
    {
      "name": "nacks",
      "number": 5,
      "kind": "message",
      "of": "Refused",
      "repeated": true
    },
    {
      "name": "laggards",
      "number": 6,
      "kind": "string",
      "repeated": true
    }
  ],
  "Refused": [
    {
      "name": "pod",
      "number": 1,
      "kind": "string"
    },
    {
      "name": "reason",
      "number": 2,
      "kind": "string"
    }
  ]
} as const satisfies Record<string, readonly FieldTable[]>;
