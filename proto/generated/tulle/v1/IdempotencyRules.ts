// Original file: tulle/v1/resources.proto

import type { AnswerStore as _tulle_v1_AnswerStore, AnswerStore__Output as _tulle_v1_AnswerStore__Output } from '../../tulle/v1/AnswerStore.ts';
import type { StoreFailure as _tulle_v1_StoreFailure, StoreFailure__Output as _tulle_v1_StoreFailure__Output } from '../../tulle/v1/StoreFailure.ts';
import type { Long } from '@grpc/proto-loader';

export interface IdempotencyRules {
  'name'?: (string);
  'methods'?: (string)[];
  'required'?: (boolean);
  'ttlMs'?: (number | string | Long);
  'maxAnswerBytes'?: (number | string | Long);
  'store'?: (_tulle_v1_AnswerStore);
  'onStoreFailure'?: (_tulle_v1_StoreFailure);
}

export interface IdempotencyRules__Output {
  'name': (string);
  'methods': (string)[];
  'required': (boolean);
  'ttlMs': (number);
  'maxAnswerBytes': (number);
  'store': (_tulle_v1_AnswerStore__Output);
  'onStoreFailure': (_tulle_v1_StoreFailure__Output);
}
