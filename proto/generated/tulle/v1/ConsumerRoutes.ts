// Original file: tulle/v1/resources.proto

import type { Route as _tulle_v1_Route, Route__Output as _tulle_v1_Route__Output } from '../../tulle/v1/Route.ts';

export interface ConsumerRoutes {
  'namespace'?: (string);
  'routes'?: (_tulle_v1_Route)[];
}

export interface ConsumerRoutes__Output {
  'namespace': (string);
  'routes': (_tulle_v1_Route__Output)[];
}
