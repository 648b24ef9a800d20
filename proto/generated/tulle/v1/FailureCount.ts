// Original file: tulle/v1/resources.proto

export const FailureCount = {
  FAILURE_COUNT_UNSPECIFIED: 'FAILURE_COUNT_UNSPECIFIED',
  FAILURE_COUNT_CONSECUTIVE: 'FAILURE_COUNT_CONSECUTIVE',
  FAILURE_COUNT_WINDOW: 'FAILURE_COUNT_WINDOW',
} as const;

export type FailureCount =
  | 'FAILURE_COUNT_UNSPECIFIED'
  | 0
  | 'FAILURE_COUNT_CONSECUTIVE'
  | 1
  | 'FAILURE_COUNT_WINDOW'
  | 2

export type FailureCount__Output = typeof FailureCount[keyof typeof FailureCount]
