// Original file: tulle/v1/resources.proto

import type { Long } from '@grpc/proto-loader';

export interface TimeoutPolicy {
  'requestMs'?: (number | string | Long);
  'perTryMs'?: (number | string | Long);
  'idleMs'?: (number | string | Long);
  'connectMs'?: (number | string | Long);
  '_requestMs'?: "requestMs";
  '_perTryMs'?: "perTryMs";
  '_idleMs'?: "idleMs";
  '_connectMs'?: "connectMs";
}

export interface TimeoutPolicy__Output {
  'requestMs'?: (number);
  'perTryMs'?: (number);
  'idleMs'?: (number);
  'connectMs'?: (number);
  '_requestMs'?: "requestMs";
  '_perTryMs'?: "perTryMs";
  '_idleMs'?: "idleMs";
  '_connectMs'?: "connectMs";
}
