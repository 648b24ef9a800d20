// Original file: tulle/v1/resources.proto


export interface NamespaceMatch {
  'namespace'?: (string);
  'trustDomain'?: (string);
  '_trustDomain'?: "trustDomain";
}

export interface NamespaceMatch__Output {
  'namespace': (string);
  'trustDomain'?: (string);
  '_trustDomain'?: "trustDomain";
}
