// Original file: tulle/v1/resources.proto

export const AccessAction = {
  ACCESS_ACTION_UNSPECIFIED: 'ACCESS_ACTION_UNSPECIFIED',
  ACCESS_ACTION_ALLOW: 'ACCESS_ACTION_ALLOW',
  ACCESS_ACTION_DENY: 'ACCESS_ACTION_DENY',
} as const;

export type AccessAction =
  | 'ACCESS_ACTION_UNSPECIFIED'
  | 0
  | 'ACCESS_ACTION_ALLOW'
  | 1
  | 'ACCESS_ACTION_DENY'
  | 2

export type AccessAction__Output = typeof AccessAction[keyof typeof AccessAction]
