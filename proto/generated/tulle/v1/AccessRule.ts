// Original file: tulle/v1/resources.proto

import type { CallerMatch as _tulle_v1_CallerMatch, CallerMatch__Output as _tulle_v1_CallerMatch__Output } from '../../tulle/v1/CallerMatch.ts';
import type { PathMatch as _tulle_v1_PathMatch, PathMatch__Output as _tulle_v1_PathMatch__Output } from '../../tulle/v1/PathMatch.ts';

export interface AccessRule {
  'from'?: (_tulle_v1_CallerMatch)[];
  'methods'?: (string)[];
  'paths'?: (_tulle_v1_PathMatch)[];
}

export interface AccessRule__Output {
  'from': (_tulle_v1_CallerMatch__Output)[];
  'methods': (string)[];
  'paths': (_tulle_v1_PathMatch__Output)[];
}
