/**
 * Why a port of the control plane refused a connection or a call; a label of a metric, listed in docs/control-plane.md.
 *
 * For connections: `too_many`; `handshake`: TLS failed or took too long; `not_http2`; `protocol`: frames that HTTP/2 forbids,
 * or too many of one kind; `flood`: frames that make work and ask for nothing. For calls: `not_grpc`; `method`: there is no
 * such method; `compressed`; `message_size`; `malformed`; `late`; `subscriptions`: more than a sidecar can have; `identity`:
 * not allowed for the identity in its certificate; `certificate`: none was issued.
 */
export const refusals = [
  "too_many",
  "handshake",
  "not_http2",
  "protocol",
  "flood",
  "not_grpc",
  "method",
  "compressed",
  "message_size",
  "malformed",
  "late",
  "subscriptions",
  "identity",
  "certificate",
] as const;

export type Refusal = (typeof refusals)[number];
