// Original file: tulle/v1/resources.proto

import type { Long } from '@grpc/proto-loader';

export interface FaultDelay {
  'delayMs'?: (number | string | Long);
  'percent'?: (number | string);
}

export interface FaultDelay__Output {
  'delayMs': (number);
  'percent': (number);
}
