// Original file: tulle/v1/resources.proto

export const Protocol = {
  PROTOCOL_UNSPECIFIED: 'PROTOCOL_UNSPECIFIED',
  PROTOCOL_HTTP1: 'PROTOCOL_HTTP1',
  PROTOCOL_HTTP2: 'PROTOCOL_HTTP2',
  PROTOCOL_GRPC: 'PROTOCOL_GRPC',
  PROTOCOL_TLS: 'PROTOCOL_TLS',
  PROTOCOL_OPAQUE: 'PROTOCOL_OPAQUE',
  PROTOCOL_DETECT: 'PROTOCOL_DETECT',
} as const;

export type Protocol =
  | 'PROTOCOL_UNSPECIFIED'
  | 0
  | 'PROTOCOL_HTTP1'
  | 1
  | 'PROTOCOL_HTTP2'
  | 2
  | 'PROTOCOL_GRPC'
  | 3
  | 'PROTOCOL_TLS'
  | 4
  | 'PROTOCOL_OPAQUE'
  | 5
  | 'PROTOCOL_DETECT'
  | 6

export type Protocol__Output = typeof Protocol[keyof typeof Protocol]
