// Original file: tulle/v1/resources.proto

import type { Protocol as _tulle_v1_Protocol, Protocol__Output as _tulle_v1_Protocol__Output } from '../../tulle/v1/Protocol.ts';
import type { PortPolicies as _tulle_v1_PortPolicies, PortPolicies__Output as _tulle_v1_PortPolicies__Output } from '../../tulle/v1/PortPolicies.ts';

export interface InboundPort {
  'port'?: (number);
  'protocol'?: (_tulle_v1_Protocol);
  'policies'?: (_tulle_v1_PortPolicies | null);
}

export interface InboundPort__Output {
  'port': (number);
  'protocol': (_tulle_v1_Protocol__Output);
  'policies': (_tulle_v1_PortPolicies__Output | null);
}
