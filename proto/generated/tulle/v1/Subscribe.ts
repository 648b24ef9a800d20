// Original file: tulle/v1/discovery.proto

import type { Subscription as _tulle_v1_Subscription, Subscription__Output as _tulle_v1_Subscription__Output } from '../../tulle/v1/Subscription.ts';

export interface Subscribe {
  'subscriptions'?: (_tulle_v1_Subscription)[];
}

export interface Subscribe__Output {
  'subscriptions': (_tulle_v1_Subscription__Output)[];
}
