// Original file: tulle/v1/discovery.proto

import type { Inbound as _tulle_v1_Inbound, Inbound__Output as _tulle_v1_Inbound__Output } from '../../tulle/v1/Inbound.ts';
import type { Destination as _tulle_v1_Destination, Destination__Output as _tulle_v1_Destination__Output } from '../../tulle/v1/Destination.ts';
import type { Endpoints as _tulle_v1_Endpoints, Endpoints__Output as _tulle_v1_Endpoints__Output } from '../../tulle/v1/Endpoints.ts';

export interface Resource {
  'name'?: (string);
  'version'?: (string);
  'inbound'?: (_tulle_v1_Inbound | null);
  'destination'?: (_tulle_v1_Destination | null);
  'endpoints'?: (_tulle_v1_Endpoints | null);
  'body'?: "inbound"|"destination"|"endpoints";
}

export interface Resource__Output {
  'name': (string);
  'version': (string);
  'inbound'?: (_tulle_v1_Inbound__Output | null);
  'destination'?: (_tulle_v1_Destination__Output | null);
  'endpoints'?: (_tulle_v1_Endpoints__Output | null);
  'body'?: "inbound"|"destination"|"endpoints";
}
