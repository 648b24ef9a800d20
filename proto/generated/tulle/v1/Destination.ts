// Original file: tulle/v1/resources.proto

import type { ServiceRef as _tulle_v1_ServiceRef, ServiceRef__Output as _tulle_v1_ServiceRef__Output } from '../../tulle/v1/ServiceRef.ts';
import type { Protocol as _tulle_v1_Protocol, Protocol__Output as _tulle_v1_Protocol__Output } from '../../tulle/v1/Protocol.ts';
import type { Route as _tulle_v1_Route, Route__Output as _tulle_v1_Route__Output } from '../../tulle/v1/Route.ts';
import type { ConsumerRoutes as _tulle_v1_ConsumerRoutes, ConsumerRoutes__Output as _tulle_v1_ConsumerRoutes__Output } from '../../tulle/v1/ConsumerRoutes.ts';
import type { AccessLog as _tulle_v1_AccessLog, AccessLog__Output as _tulle_v1_AccessLog__Output } from '../../tulle/v1/AccessLog.ts';

export interface Destination {
  'service'?: (_tulle_v1_ServiceRef | null);
  'protocol'?: (_tulle_v1_Protocol);
  'routes'?: (_tulle_v1_Route)[];
  'consumers'?: (_tulle_v1_ConsumerRoutes)[];
  'samplingRatio'?: (number | string);
  'accessLog'?: (_tulle_v1_AccessLog | null);
  '_samplingRatio'?: "samplingRatio";
  '_accessLog'?: "accessLog";
}

export interface Destination__Output {
  'service': (_tulle_v1_ServiceRef__Output | null);
  'protocol': (_tulle_v1_Protocol__Output);
  'routes': (_tulle_v1_Route__Output)[];
  'consumers': (_tulle_v1_ConsumerRoutes__Output)[];
  'samplingRatio'?: (number);
  'accessLog'?: (_tulle_v1_AccessLog__Output | null);
  '_samplingRatio'?: "samplingRatio";
  '_accessLog'?: "accessLog";
}
