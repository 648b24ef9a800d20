// Original file: tulle/v1/resources.proto

import type { LoggedRequests as _tulle_v1_LoggedRequests, LoggedRequests__Output as _tulle_v1_LoggedRequests__Output } from '../../tulle/v1/LoggedRequests.ts';

export interface AccessLog {
  'requests'?: (_tulle_v1_LoggedRequests);
  'ratio'?: (number | string);
}

export interface AccessLog__Output {
  'requests': (_tulle_v1_LoggedRequests__Output);
  'ratio': (number);
}
