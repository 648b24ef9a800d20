// Original file: tulle/v1/resources.proto

import type { AnswerStore as _tulle_v1_AnswerStore, AnswerStore__Output as _tulle_v1_AnswerStore__Output } from '../../tulle/v1/AnswerStore.ts';

export interface KnownKeys {
  'methods'?: (string)[];
  'store'?: (_tulle_v1_AnswerStore);
}

export interface KnownKeys__Output {
  'methods': (string)[];
  'store': (_tulle_v1_AnswerStore__Output);
}
