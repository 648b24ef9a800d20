// Original file: tulle/v1/resources.proto

export const StickyBy = {
  STICKY_BY_UNSPECIFIED: 'STICKY_BY_UNSPECIFIED',
  STICKY_BY_HEADER: 'STICKY_BY_HEADER',
  STICKY_BY_COOKIE: 'STICKY_BY_COOKIE',
} as const;

export type StickyBy =
  | 'STICKY_BY_UNSPECIFIED'
  | 0
  | 'STICKY_BY_HEADER'
  | 1
  | 'STICKY_BY_COOKIE'
  | 2

export type StickyBy__Output = typeof StickyBy[keyof typeof StickyBy]
