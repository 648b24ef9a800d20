// Original file: tulle/v1/resources.proto

import type { RouteMatch as _tulle_v1_RouteMatch, RouteMatch__Output as _tulle_v1_RouteMatch__Output } from '../../tulle/v1/RouteMatch.ts';
import type { WeightedBackend as _tulle_v1_WeightedBackend, WeightedBackend__Output as _tulle_v1_WeightedBackend__Output } from '../../tulle/v1/WeightedBackend.ts';
import type { RetryPolicy as _tulle_v1_RetryPolicy, RetryPolicy__Output as _tulle_v1_RetryPolicy__Output } from '../../tulle/v1/RetryPolicy.ts';
import type { TimeoutPolicy as _tulle_v1_TimeoutPolicy, TimeoutPolicy__Output as _tulle_v1_TimeoutPolicy__Output } from '../../tulle/v1/TimeoutPolicy.ts';
import type { RouteFilter as _tulle_v1_RouteFilter, RouteFilter__Output as _tulle_v1_RouteFilter__Output } from '../../tulle/v1/RouteFilter.ts';
import type { RouteMirror as _tulle_v1_RouteMirror, RouteMirror__Output as _tulle_v1_RouteMirror__Output } from '../../tulle/v1/RouteMirror.ts';
import type { Sticky as _tulle_v1_Sticky, Sticky__Output as _tulle_v1_Sticky__Output } from '../../tulle/v1/Sticky.ts';
import type { FaultPolicy as _tulle_v1_FaultPolicy, FaultPolicy__Output as _tulle_v1_FaultPolicy__Output } from '../../tulle/v1/FaultPolicy.ts';
import type { AccessLog as _tulle_v1_AccessLog, AccessLog__Output as _tulle_v1_AccessLog__Output } from '../../tulle/v1/AccessLog.ts';

export interface Route {
  'name'?: (string);
  'matches'?: (_tulle_v1_RouteMatch)[];
  'backends'?: (_tulle_v1_WeightedBackend)[];
  'retry'?: (_tulle_v1_RetryPolicy | null);
  'timeout'?: (_tulle_v1_TimeoutPolicy | null);
  'filters'?: (_tulle_v1_RouteFilter)[];
  'mirrors'?: (_tulle_v1_RouteMirror)[];
  'sticky'?: (_tulle_v1_Sticky | null);
  'fault'?: (_tulle_v1_FaultPolicy | null);
  'samplingRatio'?: (number | string);
  'accessLog'?: (_tulle_v1_AccessLog | null);
  '_retry'?: "retry";
  '_sticky'?: "sticky";
  '_fault'?: "fault";
  '_samplingRatio'?: "samplingRatio";
  '_accessLog'?: "accessLog";
}

export interface Route__Output {
  'name': (string);
  'matches': (_tulle_v1_RouteMatch__Output)[];
  'backends': (_tulle_v1_WeightedBackend__Output)[];
  'retry'?: (_tulle_v1_RetryPolicy__Output | null);
  'timeout': (_tulle_v1_TimeoutPolicy__Output | null);
  'filters': (_tulle_v1_RouteFilter__Output)[];
  'mirrors': (_tulle_v1_RouteMirror__Output)[];
  'sticky'?: (_tulle_v1_Sticky__Output | null);
  'fault'?: (_tulle_v1_FaultPolicy__Output | null);
  'samplingRatio'?: (number);
  'accessLog'?: (_tulle_v1_AccessLog__Output | null);
  '_retry'?: "retry";
  '_sticky'?: "sticky";
  '_fault'?: "fault";
  '_samplingRatio'?: "samplingRatio";
  '_accessLog'?: "accessLog";
}
