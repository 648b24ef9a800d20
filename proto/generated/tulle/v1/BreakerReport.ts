// Original file: tulle/v1/discovery.proto


export interface BreakerReport {
  'backend'?: (string);
  'endpoint'?: (string);
  'open'?: (boolean);
}

export interface BreakerReport__Output {
  'backend': (string);
  'endpoint': (string);
  'open': (boolean);
}
