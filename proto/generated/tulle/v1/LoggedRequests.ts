// Original file: tulle/v1/resources.proto

export const LoggedRequests = {
  LOGGED_REQUESTS_UNSPECIFIED: 'LOGGED_REQUESTS_UNSPECIFIED',
  LOGGED_REQUESTS_NONE: 'LOGGED_REQUESTS_NONE',
  LOGGED_REQUESTS_ERRORS: 'LOGGED_REQUESTS_ERRORS',
  LOGGED_REQUESTS_ALL: 'LOGGED_REQUESTS_ALL',
} as const;

export type LoggedRequests =
  | 'LOGGED_REQUESTS_UNSPECIFIED'
  | 0
  | 'LOGGED_REQUESTS_NONE'
  | 1
  | 'LOGGED_REQUESTS_ERRORS'
  | 2
  | 'LOGGED_REQUESTS_ALL'
  | 3

export type LoggedRequests__Output = typeof LoggedRequests[keyof typeof LoggedRequests]
