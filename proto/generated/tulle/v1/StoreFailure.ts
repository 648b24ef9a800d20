// Original file: tulle/v1/resources.proto

export const StoreFailure = {
  STORE_FAILURE_UNSPECIFIED: 'STORE_FAILURE_UNSPECIFIED',
  STORE_FAILURE_REJECT: 'STORE_FAILURE_REJECT',
  STORE_FAILURE_ALLOW: 'STORE_FAILURE_ALLOW',
} as const;

export type StoreFailure =
  | 'STORE_FAILURE_UNSPECIFIED'
  | 0
  | 'STORE_FAILURE_REJECT'
  | 1
  | 'STORE_FAILURE_ALLOW'
  | 2

export type StoreFailure__Output = typeof StoreFailure[keyof typeof StoreFailure]
