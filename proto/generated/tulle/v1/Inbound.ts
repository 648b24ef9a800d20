// Original file: tulle/v1/resources.proto

import type { InboundPort as _tulle_v1_InboundPort, InboundPort__Output as _tulle_v1_InboundPort__Output } from '../../tulle/v1/InboundPort.ts';
import type { PortPolicies as _tulle_v1_PortPolicies, PortPolicies__Output as _tulle_v1_PortPolicies__Output } from '../../tulle/v1/PortPolicies.ts';

export interface Inbound {
  'ports'?: (_tulle_v1_InboundPort)[];
  'unlisted'?: (_tulle_v1_InboundPort)[];
  'elsewhere'?: (_tulle_v1_PortPolicies | null);
}

export interface Inbound__Output {
  'ports': (_tulle_v1_InboundPort__Output)[];
  'unlisted': (_tulle_v1_InboundPort__Output)[];
  'elsewhere': (_tulle_v1_PortPolicies__Output | null);
}
