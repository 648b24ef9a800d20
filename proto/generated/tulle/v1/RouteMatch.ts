// Original file: tulle/v1/resources.proto

import type { PathMatch as _tulle_v1_PathMatch, PathMatch__Output as _tulle_v1_PathMatch__Output } from '../../tulle/v1/PathMatch.ts';
import type { ValueMatch as _tulle_v1_ValueMatch, ValueMatch__Output as _tulle_v1_ValueMatch__Output } from '../../tulle/v1/ValueMatch.ts';

export interface RouteMatch {
  'method'?: (string);
  'path'?: (_tulle_v1_PathMatch | null);
  'headers'?: (_tulle_v1_ValueMatch)[];
  'query'?: (_tulle_v1_ValueMatch)[];
  '_method'?: "method";
  '_path'?: "path";
}

export interface RouteMatch__Output {
  'method'?: (string);
  'path'?: (_tulle_v1_PathMatch__Output | null);
  'headers': (_tulle_v1_ValueMatch__Output)[];
  'query': (_tulle_v1_ValueMatch__Output)[];
  '_method'?: "method";
  '_path'?: "path";
}
