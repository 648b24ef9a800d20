// Original file: tulle/v1/resources.proto

import type { RateLimitBy as _tulle_v1_RateLimitBy, RateLimitBy__Output as _tulle_v1_RateLimitBy__Output } from '../../tulle/v1/RateLimitBy.ts';
import type { RouteMatch as _tulle_v1_RouteMatch, RouteMatch__Output as _tulle_v1_RouteMatch__Output } from '../../tulle/v1/RouteMatch.ts';
import type { Long } from '@grpc/proto-loader';

export interface RateLimit {
  'requests'?: (number | string | Long);
  'perMs'?: (number | string | Long);
  'burst'?: (number | string | Long);
  'by'?: (_tulle_v1_RateLimitBy);
  'matches'?: (_tulle_v1_RouteMatch)[];
}

export interface RateLimit__Output {
  'requests': (number);
  'perMs': (number);
  'burst': (number);
  'by': (_tulle_v1_RateLimitBy__Output);
  'matches': (_tulle_v1_RouteMatch__Output)[];
}
