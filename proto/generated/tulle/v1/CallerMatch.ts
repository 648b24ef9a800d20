// Original file: tulle/v1/resources.proto

import type { NamespaceMatch as _tulle_v1_NamespaceMatch, NamespaceMatch__Output as _tulle_v1_NamespaceMatch__Output } from '../../tulle/v1/NamespaceMatch.ts';

export interface CallerMatch {
  'identity'?: (string);
  'namespace'?: (_tulle_v1_NamespaceMatch | null);
  'trustDomain'?: (string);
  'caller'?: "identity"|"namespace"|"trustDomain";
}

export interface CallerMatch__Output {
  'identity'?: (string);
  'namespace'?: (_tulle_v1_NamespaceMatch__Output | null);
  'trustDomain'?: (string);
  'caller'?: "identity"|"namespace"|"trustDomain";
}
