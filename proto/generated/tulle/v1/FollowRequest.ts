// Original file: tulle/v1/replicas.proto


export interface FollowRequest {
  'replica'?: (string);
}

export interface FollowRequest__Output {
  'replica': (string);
}
