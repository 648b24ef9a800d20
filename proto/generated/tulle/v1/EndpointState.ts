// Original file: tulle/v1/resources.proto

export const EndpointState = {
  ENDPOINT_STATE_UNSPECIFIED: 'ENDPOINT_STATE_UNSPECIFIED',
  ENDPOINT_STATE_READY: 'ENDPOINT_STATE_READY',
  ENDPOINT_STATE_TERMINATING: 'ENDPOINT_STATE_TERMINATING',
} as const;

export type EndpointState =
  | 'ENDPOINT_STATE_UNSPECIFIED'
  | 0
  | 'ENDPOINT_STATE_READY'
  | 1
  | 'ENDPOINT_STATE_TERMINATING'
  | 2

export type EndpointState__Output = typeof EndpointState[keyof typeof EndpointState]
