// Original file: tulle/v1/replicas.proto

import type { ResourceName as _tulle_v1_ResourceName, ResourceName__Output as _tulle_v1_ResourceName__Output } from '../../tulle/v1/ResourceName.ts';
import type { Refused as _tulle_v1_Refused, Refused__Output as _tulle_v1_Refused__Output } from '../../tulle/v1/Refused.ts';

export interface ResourceAcks {
  'resource'?: (_tulle_v1_ResourceName | null);
  'version'?: (string);
  'subscribers'?: (number);
  'acked'?: (number);
  'nacks'?: (_tulle_v1_Refused)[];
  'laggards'?: (string)[];
}

export interface ResourceAcks__Output {
  'resource': (_tulle_v1_ResourceName__Output | null);
  'version': (string);
  'subscribers': (number);
  'acked': (number);
  'nacks': (_tulle_v1_Refused__Output)[];
  'laggards': (string)[];
}
