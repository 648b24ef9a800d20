// Original file: tulle/v1/resources.proto

import type { PathRewrite as _tulle_v1_PathRewrite, PathRewrite__Output as _tulle_v1_PathRewrite__Output } from '../../tulle/v1/PathRewrite.ts';

export interface Redirect {
  'scheme'?: (string);
  'hostname'?: (string);
  'path'?: (_tulle_v1_PathRewrite | null);
  'port'?: (number);
  'status'?: (number);
  '_scheme'?: "scheme";
  '_hostname'?: "hostname";
  '_path'?: "path";
  '_port'?: "port";
}

export interface Redirect__Output {
  'scheme'?: (string);
  'hostname'?: (string);
  'path'?: (_tulle_v1_PathRewrite__Output | null);
  'port'?: (number);
  'status': (number);
  '_scheme'?: "scheme";
  '_hostname'?: "hostname";
  '_path'?: "path";
  '_port'?: "port";
}
