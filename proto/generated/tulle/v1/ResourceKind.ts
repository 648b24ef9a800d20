// Original file: tulle/v1/discovery.proto

export const ResourceKind = {
  RESOURCE_KIND_UNSPECIFIED: 'RESOURCE_KIND_UNSPECIFIED',
  RESOURCE_KIND_INBOUND: 'RESOURCE_KIND_INBOUND',
  RESOURCE_KIND_DESTINATION: 'RESOURCE_KIND_DESTINATION',
  RESOURCE_KIND_ENDPOINTS: 'RESOURCE_KIND_ENDPOINTS',
} as const;

export type ResourceKind =
  | 'RESOURCE_KIND_UNSPECIFIED'
  | 0
  | 'RESOURCE_KIND_INBOUND'
  | 1
  | 'RESOURCE_KIND_DESTINATION'
  | 2
  | 'RESOURCE_KIND_ENDPOINTS'
  | 3

export type ResourceKind__Output = typeof ResourceKind[keyof typeof ResourceKind]
