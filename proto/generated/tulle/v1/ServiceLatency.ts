// Original file: tulle/v1/discovery.proto


export interface ServiceLatency {
  'service'?: (string);
  'cumulative'?: (number)[];
}

export interface ServiceLatency__Output {
  'service': (string);
  'cumulative': (number)[];
}
