import type * as grpc from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

import type { IdentityClient as _tulle_v1_IdentityClient, IdentityDefinition as _tulle_v1_IdentityDefinition } from './tulle/v1/Identity.ts';
import type { IssueRequest as _tulle_v1_IssueRequest, IssueRequest__Output as _tulle_v1_IssueRequest__Output } from './tulle/v1/IssueRequest.ts';
import type { IssueResponse as _tulle_v1_IssueResponse, IssueResponse__Output as _tulle_v1_IssueResponse__Output } from './tulle/v1/IssueResponse.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  tulle: {
    v1: {
      Identity: SubtypeConstructor<typeof grpc.Client, _tulle_v1_IdentityClient> & { service: _tulle_v1_IdentityDefinition }
      IssueRequest: MessageTypeDefinition<_tulle_v1_IssueRequest, _tulle_v1_IssueRequest__Output>
      IssueResponse: MessageTypeDefinition<_tulle_v1_IssueResponse, _tulle_v1_IssueResponse__Output>
    }
  }
}

