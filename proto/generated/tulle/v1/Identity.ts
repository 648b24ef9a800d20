// Original file: tulle/v1/identity.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { IssueRequest as _tulle_v1_IssueRequest, IssueRequest__Output as _tulle_v1_IssueRequest__Output } from '../../tulle/v1/IssueRequest.ts';
import type { IssueResponse as _tulle_v1_IssueResponse, IssueResponse__Output as _tulle_v1_IssueResponse__Output } from '../../tulle/v1/IssueResponse.ts';

export interface IdentityClient extends grpc.Client {
  Issue(argument: _tulle_v1_IssueRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  Issue(argument: _tulle_v1_IssueRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  Issue(argument: _tulle_v1_IssueRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  Issue(argument: _tulle_v1_IssueRequest, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  issue(argument: _tulle_v1_IssueRequest, metadata: grpc.Metadata, options: grpc.CallOptions, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  issue(argument: _tulle_v1_IssueRequest, metadata: grpc.Metadata, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  issue(argument: _tulle_v1_IssueRequest, options: grpc.CallOptions, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  issue(argument: _tulle_v1_IssueRequest, callback: grpc.requestCallback<_tulle_v1_IssueResponse__Output>): grpc.ClientUnaryCall;
  
}

export interface IdentityHandlers extends grpc.UntypedServiceImplementation {
  Issue: grpc.handleUnaryCall<_tulle_v1_IssueRequest__Output, _tulle_v1_IssueResponse>;
  
}

export interface IdentityDefinition extends grpc.ServiceDefinition {
  Issue: MethodDefinition<_tulle_v1_IssueRequest, _tulle_v1_IssueResponse, _tulle_v1_IssueRequest__Output, _tulle_v1_IssueResponse__Output>
}
