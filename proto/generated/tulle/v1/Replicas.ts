// Original file: tulle/v1/replicas.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { AckTable as _tulle_v1_AckTable, AckTable__Output as _tulle_v1_AckTable__Output } from '../../tulle/v1/AckTable.ts';
import type { FollowRequest as _tulle_v1_FollowRequest, FollowRequest__Output as _tulle_v1_FollowRequest__Output } from '../../tulle/v1/FollowRequest.ts';

export interface ReplicasClient extends grpc.Client {
  Follow(argument: _tulle_v1_FollowRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tulle_v1_AckTable__Output>;
  Follow(argument: _tulle_v1_FollowRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tulle_v1_AckTable__Output>;
  follow(argument: _tulle_v1_FollowRequest, metadata: grpc.Metadata, options?: grpc.CallOptions): grpc.ClientReadableStream<_tulle_v1_AckTable__Output>;
  follow(argument: _tulle_v1_FollowRequest, options?: grpc.CallOptions): grpc.ClientReadableStream<_tulle_v1_AckTable__Output>;
  
}

export interface ReplicasHandlers extends grpc.UntypedServiceImplementation {
  Follow: grpc.handleServerStreamingCall<_tulle_v1_FollowRequest__Output, _tulle_v1_AckTable>;
  
}

export interface ReplicasDefinition extends grpc.ServiceDefinition {
  Follow: MethodDefinition<_tulle_v1_FollowRequest, _tulle_v1_AckTable, _tulle_v1_FollowRequest__Output, _tulle_v1_AckTable__Output>
}
