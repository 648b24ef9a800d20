// Original file: tulle/v1/resources.proto

export const RateLimitBy = {
  RATE_LIMIT_BY_UNSPECIFIED: 'RATE_LIMIT_BY_UNSPECIFIED',
  RATE_LIMIT_BY_ALL: 'RATE_LIMIT_BY_ALL',
  RATE_LIMIT_BY_CLIENT: 'RATE_LIMIT_BY_CLIENT',
} as const;

export type RateLimitBy =
  | 'RATE_LIMIT_BY_UNSPECIFIED'
  | 0
  | 'RATE_LIMIT_BY_ALL'
  | 1
  | 'RATE_LIMIT_BY_CLIENT'
  | 2

export type RateLimitBy__Output = typeof RateLimitBy[keyof typeof RateLimitBy]
