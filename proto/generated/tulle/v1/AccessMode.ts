// Original file: tulle/v1/resources.proto

export const AccessMode = {
  ACCESS_MODE_UNSPECIFIED: 'ACCESS_MODE_UNSPECIFIED',
  ACCESS_MODE_ENFORCE: 'ACCESS_MODE_ENFORCE',
  ACCESS_MODE_AUDIT: 'ACCESS_MODE_AUDIT',
} as const;

export type AccessMode =
  | 'ACCESS_MODE_UNSPECIFIED'
  | 0
  | 'ACCESS_MODE_ENFORCE'
  | 1
  | 'ACCESS_MODE_AUDIT'
  | 2

export type AccessMode__Output = typeof AccessMode[keyof typeof AccessMode]
