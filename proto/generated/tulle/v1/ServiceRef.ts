// Original file: tulle/v1/resources.proto


export interface ServiceRef {
  'namespace'?: (string);
  'name'?: (string);
}

export interface ServiceRef__Output {
  'namespace': (string);
  'name': (string);
}
