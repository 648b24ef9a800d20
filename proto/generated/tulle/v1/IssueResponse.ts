// Original file: tulle/v1/identity.proto

import type { Long } from '@grpc/proto-loader';

export interface IssueResponse {
  'certificateChainDer'?: (Buffer | Uint8Array | string)[];
  'trustBundleDer'?: (Buffer | Uint8Array | string)[];
  'lifetimeMs'?: (number | string | Long);
}

export interface IssueResponse__Output {
  'certificateChainDer': (Buffer)[];
  'trustBundleDer': (Buffer)[];
  'lifetimeMs': (number);
}
