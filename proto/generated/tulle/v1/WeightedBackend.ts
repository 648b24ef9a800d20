// Original file: tulle/v1/resources.proto

import type { ServiceRef as _tulle_v1_ServiceRef, ServiceRef__Output as _tulle_v1_ServiceRef__Output } from '../../tulle/v1/ServiceRef.ts';
import type { RouteFilter as _tulle_v1_RouteFilter, RouteFilter__Output as _tulle_v1_RouteFilter__Output } from '../../tulle/v1/RouteFilter.ts';

export interface WeightedBackend {
  'endpoints'?: (string);
  'service'?: (_tulle_v1_ServiceRef | null);
  'weight'?: (number);
  'filters'?: (_tulle_v1_RouteFilter)[];
  'invalid'?: (string);
  '_invalid'?: "invalid";
}

export interface WeightedBackend__Output {
  'endpoints': (string);
  'service': (_tulle_v1_ServiceRef__Output | null);
  'weight': (number);
  'filters': (_tulle_v1_RouteFilter__Output)[];
  'invalid'?: (string);
  '_invalid'?: "invalid";
}
