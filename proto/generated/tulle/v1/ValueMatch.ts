// Original file: tulle/v1/resources.proto


export interface ValueMatch {
  'name'?: (string);
  'exact'?: (string);
  'regex'?: (string);
  'present'?: (boolean);
  'match'?: "exact"|"regex"|"present";
}

export interface ValueMatch__Output {
  'name': (string);
  'exact'?: (string);
  'regex'?: (string);
  'present'?: (boolean);
  'match'?: "exact"|"regex"|"present";
}
