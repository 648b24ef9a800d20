// Original file: tulle/v1/discovery.proto

import type { ResourceKind as _tulle_v1_ResourceKind, ResourceKind__Output as _tulle_v1_ResourceKind__Output } from '../../tulle/v1/ResourceKind.ts';

export interface ResourceName {
  'kind'?: (_tulle_v1_ResourceKind);
  'name'?: (string);
}

export interface ResourceName__Output {
  'kind': (_tulle_v1_ResourceKind__Output);
  'name': (string);
}
