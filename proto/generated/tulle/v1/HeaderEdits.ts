// Original file: tulle/v1/resources.proto

import type { HeaderField as _tulle_v1_HeaderField, HeaderField__Output as _tulle_v1_HeaderField__Output } from '../../tulle/v1/HeaderField.ts';

export interface HeaderEdits {
  'set'?: (_tulle_v1_HeaderField)[];
  'add'?: (_tulle_v1_HeaderField)[];
  'remove'?: (string)[];
}

export interface HeaderEdits__Output {
  'set': (_tulle_v1_HeaderField__Output)[];
  'add': (_tulle_v1_HeaderField__Output)[];
  'remove': (string)[];
}
