// Original file: tulle/v1/discovery.proto

import type { ResourceName as _tulle_v1_ResourceName, ResourceName__Output as _tulle_v1_ResourceName__Output } from '../../tulle/v1/ResourceName.ts';

export interface Subscription {
  'resource'?: (_tulle_v1_ResourceName | null);
  'knownVersion'?: (string);
}

export interface Subscription__Output {
  'resource': (_tulle_v1_ResourceName__Output | null);
  'knownVersion': (string);
}
