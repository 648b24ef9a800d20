// Original file: tulle/v1/replicas.proto

import type { ResourceAcks as _tulle_v1_ResourceAcks, ResourceAcks__Output as _tulle_v1_ResourceAcks__Output } from '../../tulle/v1/ResourceAcks.ts';
import type { ResourceName as _tulle_v1_ResourceName, ResourceName__Output as _tulle_v1_ResourceName__Output } from '../../tulle/v1/ResourceName.ts';
import type { CertificateTable as _tulle_v1_CertificateTable, CertificateTable__Output as _tulle_v1_CertificateTable__Output } from '../../tulle/v1/CertificateTable.ts';

export interface AckTable {
  'replica'?: (string);
  'resources'?: (_tulle_v1_ResourceAcks)[];
  'dropped'?: (_tulle_v1_ResourceName)[];
  'certificates'?: (_tulle_v1_CertificateTable | null);
}

export interface AckTable__Output {
  'replica': (string);
  'resources': (_tulle_v1_ResourceAcks__Output)[];
  'dropped': (_tulle_v1_ResourceName__Output)[];
  'certificates': (_tulle_v1_CertificateTable__Output | null);
}
