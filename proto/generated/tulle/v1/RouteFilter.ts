// Original file: tulle/v1/resources.proto

import type { HeaderEdits as _tulle_v1_HeaderEdits, HeaderEdits__Output as _tulle_v1_HeaderEdits__Output } from '../../tulle/v1/HeaderEdits.ts';
import type { Redirect as _tulle_v1_Redirect, Redirect__Output as _tulle_v1_Redirect__Output } from '../../tulle/v1/Redirect.ts';
import type { Rewrite as _tulle_v1_Rewrite, Rewrite__Output as _tulle_v1_Rewrite__Output } from '../../tulle/v1/Rewrite.ts';

export interface RouteFilter {
  'requestHeaders'?: (_tulle_v1_HeaderEdits | null);
  'responseHeaders'?: (_tulle_v1_HeaderEdits | null);
  'redirect'?: (_tulle_v1_Redirect | null);
  'rewrite'?: (_tulle_v1_Rewrite | null);
  'unsupported'?: (string);
  'filter'?: "requestHeaders"|"responseHeaders"|"redirect"|"rewrite"|"unsupported";
}

export interface RouteFilter__Output {
  'requestHeaders'?: (_tulle_v1_HeaderEdits__Output | null);
  'responseHeaders'?: (_tulle_v1_HeaderEdits__Output | null);
  'redirect'?: (_tulle_v1_Redirect__Output | null);
  'rewrite'?: (_tulle_v1_Rewrite__Output | null);
  'unsupported'?: (string);
  'filter'?: "requestHeaders"|"responseHeaders"|"redirect"|"rewrite"|"unsupported";
}
