// Original file: tulle/v1/resources.proto

import type { Protocol as _tulle_v1_Protocol, Protocol__Output as _tulle_v1_Protocol__Output } from '../../tulle/v1/Protocol.ts';

export interface InboundPort {
  'port'?: (number);
  'protocol'?: (_tulle_v1_Protocol);
}

export interface InboundPort__Output {
  'port': (number);
  'protocol': (_tulle_v1_Protocol__Output);
}
