// Original file: tulle/v1/resources.proto

import type { Long } from '@grpc/proto-loader';

export interface RetryBudget {
  'percent'?: (number | string);
  'windowMs'?: (number | string | Long);
  'minRetriesPerSecond'?: (number | string);
}

export interface RetryBudget__Output {
  'percent': (number);
  'windowMs': (number);
  'minRetriesPerSecond': (number);
}
