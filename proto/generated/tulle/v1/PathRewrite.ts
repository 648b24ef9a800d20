// Original file: tulle/v1/resources.proto


export interface PathRewrite {
  'full'?: (string);
  'prefix'?: (string);
  'rewrite'?: "full"|"prefix";
}

export interface PathRewrite__Output {
  'full'?: (string);
  'prefix'?: (string);
  'rewrite'?: "full"|"prefix";
}
