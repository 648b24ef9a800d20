// Original file: tulle/v1/resources.proto


export interface FaultAbort {
  'http'?: (number);
  'grpc'?: (number);
  'percent'?: (number | string);
  'status'?: "http"|"grpc";
}

export interface FaultAbort__Output {
  'http'?: (number);
  'grpc'?: (number);
  'percent': (number);
  'status'?: "http"|"grpc";
}
