// Original file: tulle/v1/discovery.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { SidecarMessage as _tulle_v1_SidecarMessage, SidecarMessage__Output as _tulle_v1_SidecarMessage__Output } from '../../tulle/v1/SidecarMessage.ts';
import type { Update as _tulle_v1_Update, Update__Output as _tulle_v1_Update__Output } from '../../tulle/v1/Update.ts';

export interface DiscoveryClient extends grpc.Client {
  Stream(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tulle_v1_SidecarMessage, _tulle_v1_Update__Output>;
  Stream(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tulle_v1_SidecarMessage, _tulle_v1_Update__Output>;
  stream(metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientDuplexStream<_tulle_v1_SidecarMessage, _tulle_v1_Update__Output>;
  stream(options?: grpc.CallOptions): grpc.ClientDuplexStream<_tulle_v1_SidecarMessage, _tulle_v1_Update__Output>;
  
}

export interface DiscoveryHandlers extends grpc.UntypedServiceImplementation {
  Stream: grpc.handleBidiStreamingCall<_tulle_v1_SidecarMessage__Output, _tulle_v1_Update>;
  
}

export interface DiscoveryDefinition extends grpc.ServiceDefinition {
  Stream: MethodDefinition<_tulle_v1_SidecarMessage, _tulle_v1_Update, _tulle_v1_SidecarMessage__Output, _tulle_v1_Update__Output>
}
