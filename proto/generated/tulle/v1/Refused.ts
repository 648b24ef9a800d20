// Original file: tulle/v1/replicas.proto


export interface Refused {
  'pod'?: (string);
  'reason'?: (string);
}

export interface Refused__Output {
  'pod': (string);
  'reason': (string);
}
