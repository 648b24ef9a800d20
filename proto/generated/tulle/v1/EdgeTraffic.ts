// Original file: tulle/v1/discovery.proto


export interface EdgeTraffic {
  'service'?: (string);
  'backend'?: (string);
  'requests'?: (number);
  'failures'?: (number);
  'mutualTls'?: (number);
  'plaintext'?: (number);
}

export interface EdgeTraffic__Output {
  'service': (string);
  'backend': (string);
  'requests': (number);
  'failures': (number);
  'mutualTls': (number);
  'plaintext': (number);
}
