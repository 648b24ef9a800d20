// Original file: tulle/v1/resources.proto

import type { ServiceRef as _tulle_v1_ServiceRef, ServiceRef__Output as _tulle_v1_ServiceRef__Output } from '../../tulle/v1/ServiceRef.ts';
import type { Protocol as _tulle_v1_Protocol, Protocol__Output as _tulle_v1_Protocol__Output } from '../../tulle/v1/Protocol.ts';
import type { CircuitBreakerPolicy as _tulle_v1_CircuitBreakerPolicy, CircuitBreakerPolicy__Output as _tulle_v1_CircuitBreakerPolicy__Output } from '../../tulle/v1/CircuitBreakerPolicy.ts';
import type { Endpoint as _tulle_v1_Endpoint, Endpoint__Output as _tulle_v1_Endpoint__Output } from '../../tulle/v1/Endpoint.ts';
import type { KnownKeys as _tulle_v1_KnownKeys, KnownKeys__Output as _tulle_v1_KnownKeys__Output } from '../../tulle/v1/KnownKeys.ts';
import type { Long } from '@grpc/proto-loader';

export interface Endpoints {
  'service'?: (_tulle_v1_ServiceRef | null);
  'protocol'?: (_tulle_v1_Protocol);
  'breaker'?: (_tulle_v1_CircuitBreakerPolicy | null);
  'endpoints'?: (_tulle_v1_Endpoint)[];
  'warmUpMs'?: (number | string | Long);
  'nodeLocal'?: (boolean);
  'affinityMs'?: (number | string | Long);
  'idempotency'?: (_tulle_v1_KnownKeys | null);
  '_breaker'?: "breaker";
  '_warmUpMs'?: "warmUpMs";
  '_affinityMs'?: "affinityMs";
  '_idempotency'?: "idempotency";
}

export interface Endpoints__Output {
  'service': (_tulle_v1_ServiceRef__Output | null);
  'protocol': (_tulle_v1_Protocol__Output);
  'breaker'?: (_tulle_v1_CircuitBreakerPolicy__Output | null);
  'endpoints': (_tulle_v1_Endpoint__Output)[];
  'warmUpMs'?: (number);
  'nodeLocal': (boolean);
  'affinityMs'?: (number);
  'idempotency'?: (_tulle_v1_KnownKeys__Output | null);
  '_breaker'?: "breaker";
  '_warmUpMs'?: "warmUpMs";
  '_affinityMs'?: "affinityMs";
  '_idempotency'?: "idempotency";
}
