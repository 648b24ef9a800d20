// Original file: tulle/v1/resources.proto

import type { RouteMatch as _tulle_v1_RouteMatch, RouteMatch__Output as _tulle_v1_RouteMatch__Output } from '../../tulle/v1/RouteMatch.ts';
import type { WeightedBackend as _tulle_v1_WeightedBackend, WeightedBackend__Output as _tulle_v1_WeightedBackend__Output } from '../../tulle/v1/WeightedBackend.ts';
import type { RetryPolicy as _tulle_v1_RetryPolicy, RetryPolicy__Output as _tulle_v1_RetryPolicy__Output } from '../../tulle/v1/RetryPolicy.ts';
import type { TimeoutPolicy as _tulle_v1_TimeoutPolicy, TimeoutPolicy__Output as _tulle_v1_TimeoutPolicy__Output } from '../../tulle/v1/TimeoutPolicy.ts';

export interface Route {
  'name'?: (string);
  'matches'?: (_tulle_v1_RouteMatch)[];
  'backends'?: (_tulle_v1_WeightedBackend)[];
  'retry'?: (_tulle_v1_RetryPolicy | null);
  'timeout'?: (_tulle_v1_TimeoutPolicy | null);
  '_retry'?: "retry";
}

export interface Route__Output {
  'name': (string);
  'matches': (_tulle_v1_RouteMatch__Output)[];
  'backends': (_tulle_v1_WeightedBackend__Output)[];
  'retry'?: (_tulle_v1_RetryPolicy__Output | null);
  'timeout': (_tulle_v1_TimeoutPolicy__Output | null);
  '_retry'?: "retry";
}
