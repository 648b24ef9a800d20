// Original file: tulle/v1/resources.proto

export const BreakerScope = {
  BREAKER_SCOPE_UNSPECIFIED: 'BREAKER_SCOPE_UNSPECIFIED',
  BREAKER_SCOPE_ENDPOINT: 'BREAKER_SCOPE_ENDPOINT',
  BREAKER_SCOPE_SERVICE: 'BREAKER_SCOPE_SERVICE',
} as const;

export type BreakerScope =
  | 'BREAKER_SCOPE_UNSPECIFIED'
  | 0
  | 'BREAKER_SCOPE_ENDPOINT'
  | 1
  | 'BREAKER_SCOPE_SERVICE'
  | 2

export type BreakerScope__Output = typeof BreakerScope[keyof typeof BreakerScope]
