// Original file: tulle/v1/resources.proto

import type { BreakerScope as _tulle_v1_BreakerScope, BreakerScope__Output as _tulle_v1_BreakerScope__Output } from '../../tulle/v1/BreakerScope.ts';
import type { FailureCount as _tulle_v1_FailureCount, FailureCount__Output as _tulle_v1_FailureCount__Output } from '../../tulle/v1/FailureCount.ts';
import type { FailureKind as _tulle_v1_FailureKind, FailureKind__Output as _tulle_v1_FailureKind__Output } from '../../tulle/v1/FailureKind.ts';
import type { Long } from '@grpc/proto-loader';

export interface CircuitBreakerPolicy {
  'scope'?: (_tulle_v1_BreakerScope);
  'failureThreshold'?: (number);
  'failureWindowMs'?: (number | string | Long);
  'count'?: (_tulle_v1_FailureCount);
  'openDurationMs'?: (number | string | Long);
  'maxOpenDurationMs'?: (number | string | Long);
  'successThreshold'?: (number);
  'maxOpenPercent'?: (number | string);
  'failures'?: (_tulle_v1_FailureKind)[];
  'maxRequests'?: (number);
  'maxConnections'?: (number);
  'maxPendingRequests'?: (number);
  '_maxOpenDurationMs'?: "maxOpenDurationMs";
  '_maxRequests'?: "maxRequests";
  '_maxConnections'?: "maxConnections";
  '_maxPendingRequests'?: "maxPendingRequests";
}

export interface CircuitBreakerPolicy__Output {
  'scope': (_tulle_v1_BreakerScope__Output);
  'failureThreshold': (number);
  'failureWindowMs': (number);
  'count': (_tulle_v1_FailureCount__Output);
  'openDurationMs': (number);
  'maxOpenDurationMs'?: (number);
  'successThreshold': (number);
  'maxOpenPercent': (number);
  'failures': (_tulle_v1_FailureKind__Output)[];
  'maxRequests'?: (number);
  'maxConnections'?: (number);
  'maxPendingRequests'?: (number);
  '_maxOpenDurationMs'?: "maxOpenDurationMs";
  '_maxRequests'?: "maxRequests";
  '_maxConnections'?: "maxConnections";
  '_maxPendingRequests'?: "maxPendingRequests";
}
