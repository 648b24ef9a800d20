// Original file: tulle/v1/replicas.proto

import type { ResourceAcks as _tulle_v1_ResourceAcks, ResourceAcks__Output as _tulle_v1_ResourceAcks__Output } from '../../tulle/v1/ResourceAcks.ts';
import type { ResourceName as _tulle_v1_ResourceName, ResourceName__Output as _tulle_v1_ResourceName__Output } from '../../tulle/v1/ResourceName.ts';

export interface AckTable {
  'replica'?: (string);
  'resources'?: (_tulle_v1_ResourceAcks)[];
  'dropped'?: (_tulle_v1_ResourceName)[];
}

export interface AckTable__Output {
  'replica': (string);
  'resources': (_tulle_v1_ResourceAcks__Output)[];
  'dropped': (_tulle_v1_ResourceName__Output)[];
}
