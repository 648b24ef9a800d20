/**
 * Why a port of the control plane took no connection or no call; a label of a metric, listed in docs/control-plane.md.
 *
 * Of connections: `too_many`, `handshake`: TLS failed or took too long, `not_http2`, `protocol`: frames that HTTP/2 forbids, or
 * too many of one kind, `flood`: those that make work and ask for nothing. Of calls: `not_grpc`, `method`: there is none of that name, `compressed`, `message_size`, `malformed`, `late`,
 * `subscriptions`: more than a sidecar can have, `identity`: it is not for who its certificate says, `certificate`: it was to get
 * none.
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
