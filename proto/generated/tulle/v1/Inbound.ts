// Original file: tulle/v1/resources.proto

import type { InboundPort as _tulle_v1_InboundPort, InboundPort__Output as _tulle_v1_InboundPort__Output } from '../../tulle/v1/InboundPort.ts';

export interface Inbound {
  'ports'?: (_tulle_v1_InboundPort)[];
}

export interface Inbound__Output {
  'ports': (_tulle_v1_InboundPort__Output)[];
}
