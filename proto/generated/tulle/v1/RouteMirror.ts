// Original file: tulle/v1/resources.proto

import type { ServiceRef as _tulle_v1_ServiceRef, ServiceRef__Output as _tulle_v1_ServiceRef__Output } from '../../tulle/v1/ServiceRef.ts';

export interface RouteMirror {
  'endpoints'?: (string);
  'service'?: (_tulle_v1_ServiceRef | null);
  'percent'?: (number | string);
}

export interface RouteMirror__Output {
  'endpoints': (string);
  'service': (_tulle_v1_ServiceRef__Output | null);
  'percent': (number);
}
