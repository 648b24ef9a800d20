// Original file: tulle/v1/resources.proto

import type { PathRewrite as _tulle_v1_PathRewrite, PathRewrite__Output as _tulle_v1_PathRewrite__Output } from '../../tulle/v1/PathRewrite.ts';

export interface Rewrite {
  'hostname'?: (string);
  'path'?: (_tulle_v1_PathRewrite | null);
  '_hostname'?: "hostname";
  '_path'?: "path";
}

export interface Rewrite__Output {
  'hostname'?: (string);
  'path'?: (_tulle_v1_PathRewrite__Output | null);
  '_hostname'?: "hostname";
  '_path'?: "path";
}
