// Original file: tulle/v1/discovery.proto

import type { Resource as _tulle_v1_Resource, Resource__Output as _tulle_v1_Resource__Output } from '../../tulle/v1/Resource.ts';
import type { ResourceName as _tulle_v1_ResourceName, ResourceName__Output as _tulle_v1_ResourceName__Output } from '../../tulle/v1/ResourceName.ts';
import type { Refusal as _tulle_v1_Refusal, Refusal__Output as _tulle_v1_Refusal__Output } from '../../tulle/v1/Refusal.ts';

export interface Update {
  'resources'?: (_tulle_v1_Resource)[];
  'absent'?: (_tulle_v1_ResourceName)[];
  'refused'?: (_tulle_v1_Refusal)[];
  'renewWithinMs'?: (number);
  'subscribed'?: (_tulle_v1_ResourceName)[];
}

export interface Update__Output {
  'resources': (_tulle_v1_Resource__Output)[];
  'absent': (_tulle_v1_ResourceName__Output)[];
  'refused': (_tulle_v1_Refusal__Output)[];
  'renewWithinMs': (number);
  'subscribed': (_tulle_v1_ResourceName__Output)[];
}
