// Original file: tulle/v1/resources.proto

import type { AccessAction as _tulle_v1_AccessAction, AccessAction__Output as _tulle_v1_AccessAction__Output } from '../../tulle/v1/AccessAction.ts';
import type { AccessMode as _tulle_v1_AccessMode, AccessMode__Output as _tulle_v1_AccessMode__Output } from '../../tulle/v1/AccessMode.ts';
import type { AccessRule as _tulle_v1_AccessRule, AccessRule__Output as _tulle_v1_AccessRule__Output } from '../../tulle/v1/AccessRule.ts';

export interface AccessRules {
  'name'?: (string);
  'action'?: (_tulle_v1_AccessAction);
  'mode'?: (_tulle_v1_AccessMode);
  'rules'?: (_tulle_v1_AccessRule)[];
}

export interface AccessRules__Output {
  'name': (string);
  'action': (_tulle_v1_AccessAction__Output);
  'mode': (_tulle_v1_AccessMode__Output);
  'rules': (_tulle_v1_AccessRule__Output)[];
}
