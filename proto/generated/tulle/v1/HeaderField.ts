// Original file: tulle/v1/resources.proto


export interface HeaderField {
  'name'?: (string);
  'value'?: (string);
}

export interface HeaderField__Output {
  'name': (string);
  'value': (string);
}
