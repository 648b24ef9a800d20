// Original file: tulle/v1/resources.proto

import type { Protocol as _tulle_v1_Protocol, Protocol__Output as _tulle_v1_Protocol__Output } from '../../tulle/v1/Protocol.ts';
import type { AccessRules as _tulle_v1_AccessRules, AccessRules__Output as _tulle_v1_AccessRules__Output } from '../../tulle/v1/AccessRules.ts';

export interface InboundPort {
  'port'?: (number);
  'protocol'?: (_tulle_v1_Protocol);
  'access'?: (_tulle_v1_AccessRules)[];
}

export interface InboundPort__Output {
  'port': (number);
  'protocol': (_tulle_v1_Protocol__Output);
  'access': (_tulle_v1_AccessRules__Output)[];
}
