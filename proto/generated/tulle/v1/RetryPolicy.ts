// Original file: tulle/v1/resources.proto

import type { RetryCondition as _tulle_v1_RetryCondition, RetryCondition__Output as _tulle_v1_RetryCondition__Output } from '../../tulle/v1/RetryCondition.ts';
import type { RetryBudget as _tulle_v1_RetryBudget, RetryBudget__Output as _tulle_v1_RetryBudget__Output } from '../../tulle/v1/RetryBudget.ts';
import type { Long } from '@grpc/proto-loader';

export interface RetryPolicy {
  'maxAttempts'?: (number);
  'initialDelayMs'?: (number | string | Long);
  'backoffMultiplier'?: (number | string);
  'maxDelayMs'?: (number | string | Long);
  'jitter'?: (number | string);
  'perTryTimeoutMs'?: (number | string | Long);
  'retryOn'?: (_tulle_v1_RetryCondition)[];
  'budget'?: (_tulle_v1_RetryBudget | null);
  'retryNonIdempotent'?: (boolean);
  '_perTryTimeoutMs'?: "perTryTimeoutMs";
}

export interface RetryPolicy__Output {
  'maxAttempts': (number);
  'initialDelayMs': (number);
  'backoffMultiplier': (number);
  'maxDelayMs': (number);
  'jitter': (number);
  'perTryTimeoutMs'?: (number);
  'retryOn': (_tulle_v1_RetryCondition__Output)[];
  'budget': (_tulle_v1_RetryBudget__Output | null);
  'retryNonIdempotent': (boolean);
  '_perTryTimeoutMs'?: "perTryTimeoutMs";
}
