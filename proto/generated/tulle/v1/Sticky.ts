// Original file: tulle/v1/resources.proto

import type { StickyBy as _tulle_v1_StickyBy, StickyBy__Output as _tulle_v1_StickyBy__Output } from '../../tulle/v1/StickyBy.ts';

export interface Sticky {
  'by'?: (_tulle_v1_StickyBy);
  'name'?: (string);
}

export interface Sticky__Output {
  'by': (_tulle_v1_StickyBy__Output);
  'name': (string);
}
