// Original file: tulle/v1/resources.proto

import type { EndpointState as _tulle_v1_EndpointState, EndpointState__Output as _tulle_v1_EndpointState__Output } from '../../tulle/v1/EndpointState.ts';

export interface Endpoint {
  'address'?: (string);
  'pod'?: (string);
  'identity'?: (string);
  'state'?: (_tulle_v1_EndpointState);
  'zone'?: (string);
  '_identity'?: "identity";
  '_zone'?: "zone";
}

export interface Endpoint__Output {
  'address': (string);
  'pod': (string);
  'identity'?: (string);
  'state': (_tulle_v1_EndpointState__Output);
  'zone'?: (string);
  '_identity'?: "identity";
  '_zone'?: "zone";
}
