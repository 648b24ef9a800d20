// Original file: tulle/v1/replicas.proto

import type { SidecarCertificate as _tulle_v1_SidecarCertificate, SidecarCertificate__Output as _tulle_v1_SidecarCertificate__Output } from '../../tulle/v1/SidecarCertificate.ts';

export interface CertificateTable {
  'trustedRoots'?: (string)[];
  'signerKeyId'?: (string);
  'unwritten'?: (string)[];
  'joined'?: (_tulle_v1_SidecarCertificate)[];
  'left'?: (number)[];
}

export interface CertificateTable__Output {
  'trustedRoots': (string)[];
  'signerKeyId': (string);
  'unwritten': (string)[];
  'joined': (_tulle_v1_SidecarCertificate__Output)[];
  'left': (number)[];
}
