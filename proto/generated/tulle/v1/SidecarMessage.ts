// Original file: tulle/v1/discovery.proto

import type { Hello as _tulle_v1_Hello, Hello__Output as _tulle_v1_Hello__Output } from '../../tulle/v1/Hello.ts';
import type { Subscribe as _tulle_v1_Subscribe, Subscribe__Output as _tulle_v1_Subscribe__Output } from '../../tulle/v1/Subscribe.ts';
import type { Unsubscribe as _tulle_v1_Unsubscribe, Unsubscribe__Output as _tulle_v1_Unsubscribe__Output } from '../../tulle/v1/Unsubscribe.ts';
import type { Ack as _tulle_v1_Ack, Ack__Output as _tulle_v1_Ack__Output } from '../../tulle/v1/Ack.ts';
import type { Nack as _tulle_v1_Nack, Nack__Output as _tulle_v1_Nack__Output } from '../../tulle/v1/Nack.ts';
import type { TrafficReport as _tulle_v1_TrafficReport, TrafficReport__Output as _tulle_v1_TrafficReport__Output } from '../../tulle/v1/TrafficReport.ts';

export interface SidecarMessage {
  'hello'?: (_tulle_v1_Hello | null);
  'subscribe'?: (_tulle_v1_Subscribe | null);
  'unsubscribe'?: (_tulle_v1_Unsubscribe | null);
  'ack'?: (_tulle_v1_Ack | null);
  'nack'?: (_tulle_v1_Nack | null);
  'report'?: (_tulle_v1_TrafficReport | null);
  'message'?: "hello"|"subscribe"|"unsubscribe"|"ack"|"nack"|"report";
}

export interface SidecarMessage__Output {
  'hello'?: (_tulle_v1_Hello__Output | null);
  'subscribe'?: (_tulle_v1_Subscribe__Output | null);
  'unsubscribe'?: (_tulle_v1_Unsubscribe__Output | null);
  'ack'?: (_tulle_v1_Ack__Output | null);
  'nack'?: (_tulle_v1_Nack__Output | null);
  'report'?: (_tulle_v1_TrafficReport__Output | null);
  'message'?: "hello"|"subscribe"|"unsubscribe"|"ack"|"nack"|"report";
}
