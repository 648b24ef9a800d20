// Original file: tulle/v1/discovery.proto


export interface SpanAttribute {
  'key'?: (string);
  'value'?: (string);
}

export interface SpanAttribute__Output {
  'key': (string);
  'value': (string);
}
