// Original file: tulle/v1/resources.proto

export const AnswerStore = {
  ANSWER_STORE_UNSPECIFIED: 'ANSWER_STORE_UNSPECIFIED',
  ANSWER_STORE_MEMORY: 'ANSWER_STORE_MEMORY',
  ANSWER_STORE_REDIS: 'ANSWER_STORE_REDIS',
} as const;

export type AnswerStore =
  | 'ANSWER_STORE_UNSPECIFIED'
  | 0
  | 'ANSWER_STORE_MEMORY'
  | 1
  | 'ANSWER_STORE_REDIS'
  | 2

export type AnswerStore__Output = typeof AnswerStore[keyof typeof AnswerStore]
