// Original file: tulle/v1/discovery.proto

import type { ResourceName as _tulle_v1_ResourceName, ResourceName__Output as _tulle_v1_ResourceName__Output } from '../../tulle/v1/ResourceName.ts';

export interface Unsubscribe {
  'resources'?: (_tulle_v1_ResourceName)[];
}

export interface Unsubscribe__Output {
  'resources': (_tulle_v1_ResourceName__Output)[];
}
