// Original file: tulle/v1/resources.proto

import type { RouteMatch as _tulle_v1_RouteMatch, RouteMatch__Output as _tulle_v1_RouteMatch__Output } from '../../tulle/v1/RouteMatch.ts';
import type { FaultDelay as _tulle_v1_FaultDelay, FaultDelay__Output as _tulle_v1_FaultDelay__Output } from '../../tulle/v1/FaultDelay.ts';
import type { FaultAbort as _tulle_v1_FaultAbort, FaultAbort__Output as _tulle_v1_FaultAbort__Output } from '../../tulle/v1/FaultAbort.ts';
import type { Long } from '@grpc/proto-loader';

export interface FaultPolicy {
  'untilUnixMs'?: (number | string | Long);
  'matches'?: (_tulle_v1_RouteMatch)[];
  'delay'?: (_tulle_v1_FaultDelay | null);
  'abort'?: (_tulle_v1_FaultAbort | null);
  '_delay'?: "delay";
  '_abort'?: "abort";
}

export interface FaultPolicy__Output {
  'untilUnixMs': (number);
  'matches': (_tulle_v1_RouteMatch__Output)[];
  'delay'?: (_tulle_v1_FaultDelay__Output | null);
  'abort'?: (_tulle_v1_FaultAbort__Output | null);
  '_delay'?: "delay";
  '_abort'?: "abort";
}
