// Original file: tulle/v1/resources.proto

import type { AccessRules as _tulle_v1_AccessRules, AccessRules__Output as _tulle_v1_AccessRules__Output } from '../../tulle/v1/AccessRules.ts';
import type { RateLimits as _tulle_v1_RateLimits, RateLimits__Output as _tulle_v1_RateLimits__Output } from '../../tulle/v1/RateLimits.ts';

export interface PortPolicies {
  'access'?: (_tulle_v1_AccessRules)[];
  'strictMtls'?: (boolean);
  'rateLimits'?: (_tulle_v1_RateLimits)[];
}

export interface PortPolicies__Output {
  'access': (_tulle_v1_AccessRules__Output)[];
  'strictMtls': (boolean);
  'rateLimits': (_tulle_v1_RateLimits__Output)[];
}
