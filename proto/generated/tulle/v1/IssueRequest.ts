// Original file: tulle/v1/identity.proto


export interface IssueRequest {
  'csrDer'?: (Buffer | Uint8Array | string);
  'token'?: (string);
}

export interface IssueRequest__Output {
  'csrDer': (Buffer);
  'token': (string);
}
