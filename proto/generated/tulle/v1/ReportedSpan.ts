// Original file: tulle/v1/discovery.proto

import type { SpanAttribute as _tulle_v1_SpanAttribute, SpanAttribute__Output as _tulle_v1_SpanAttribute__Output } from '../../tulle/v1/SpanAttribute.ts';
import type { Long } from '@grpc/proto-loader';

export interface ReportedSpan {
  'traceId'?: (Buffer | Uint8Array | string);
  'spanId'?: (Buffer | Uint8Array | string);
  'parentSpanId'?: (Buffer | Uint8Array | string);
  'name'?: (string);
  'server'?: (boolean);
  'failed'?: (boolean);
  'startUnixMicroseconds'?: (number | string | Long);
  'durationMicroseconds'?: (number);
  'attributes'?: (_tulle_v1_SpanAttribute)[];
}

export interface ReportedSpan__Output {
  'traceId': (Buffer);
  'spanId': (Buffer);
  'parentSpanId': (Buffer);
  'name': (string);
  'server': (boolean);
  'failed': (boolean);
  'startUnixMicroseconds': (number);
  'durationMicroseconds': (number);
  'attributes': (_tulle_v1_SpanAttribute__Output)[];
}
