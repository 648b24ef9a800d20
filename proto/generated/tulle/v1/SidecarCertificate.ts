// Original file: tulle/v1/replicas.proto

import type { Long } from '@grpc/proto-loader';

export interface SidecarCertificate {
  'stream'?: (number);
  'namespace'?: (string);
  'workload'?: (string);
  'pod'?: (string);
  'identity'?: (string);
  'expiryUnixSeconds'?: (number | string | Long);
  'signerKeyId'?: (string);
  'trustedRoots'?: (string)[];
}

export interface SidecarCertificate__Output {
  'stream': (number);
  'namespace': (string);
  'workload': (string);
  'pod': (string);
  'identity': (string);
  'expiryUnixSeconds': (number);
  'signerKeyId': (string);
  'trustedRoots': (string)[];
}
