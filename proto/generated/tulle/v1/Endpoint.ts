// Original file: tulle/v1/resources.proto

import type { EndpointState as _tulle_v1_EndpointState, EndpointState__Output as _tulle_v1_EndpointState__Output } from '../../tulle/v1/EndpointState.ts';

export interface Endpoint {
  'address'?: (string);
  'pod'?: (string);
  'identity'?: (string);
  'state'?: (_tulle_v1_EndpointState);
  'zone'?: (string);
  'node'?: (string);
  'forZones'?: (string)[];
  'forNodes'?: (string)[];
  '_identity'?: "identity";
  '_zone'?: "zone";
  '_node'?: "node";
}

export interface Endpoint__Output {
  'address': (string);
  'pod': (string);
  'identity'?: (string);
  'state': (_tulle_v1_EndpointState__Output);
  'zone'?: (string);
  'node'?: (string);
  'forZones': (string)[];
  'forNodes': (string)[];
  '_identity'?: "identity";
  '_zone'?: "zone";
  '_node'?: "node";
}
