// Original file: tulle/v1/discovery.proto


export interface Hello {
  'namespace'?: (string);
  'workload'?: (string);
  'pod'?: (string);
  'proxyVersion'?: (string);
  'trustedRoots'?: (string)[];
  'takesSubscriptions'?: (boolean);
}

export interface Hello__Output {
  'namespace': (string);
  'workload': (string);
  'pod': (string);
  'proxyVersion': (string);
  'trustedRoots': (string)[];
  'takesSubscriptions': (boolean);
}
