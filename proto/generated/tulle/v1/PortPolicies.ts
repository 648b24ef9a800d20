// Original file: tulle/v1/resources.proto

import type { AccessRules as _tulle_v1_AccessRules, AccessRules__Output as _tulle_v1_AccessRules__Output } from '../../tulle/v1/AccessRules.ts';

export interface PortPolicies {
  'access'?: (_tulle_v1_AccessRules)[];
  'strictMtls'?: (boolean);
}

export interface PortPolicies__Output {
  'access': (_tulle_v1_AccessRules__Output)[];
  'strictMtls': (boolean);
}
