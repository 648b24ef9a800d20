// Original file: tulle/v1/resources.proto

import type { RateLimit as _tulle_v1_RateLimit, RateLimit__Output as _tulle_v1_RateLimit__Output } from '../../tulle/v1/RateLimit.ts';

export interface RateLimits {
  'name'?: (string);
  'limits'?: (_tulle_v1_RateLimit)[];
}

export interface RateLimits__Output {
  'name': (string);
  'limits': (_tulle_v1_RateLimit__Output)[];
}
