// Original file: tulle/v1/resources.proto

import type { AccessRules as _tulle_v1_AccessRules, AccessRules__Output as _tulle_v1_AccessRules__Output } from '../../tulle/v1/AccessRules.ts';
import type { RateLimits as _tulle_v1_RateLimits, RateLimits__Output as _tulle_v1_RateLimits__Output } from '../../tulle/v1/RateLimits.ts';
import type { IdempotencyRules as _tulle_v1_IdempotencyRules, IdempotencyRules__Output as _tulle_v1_IdempotencyRules__Output } from '../../tulle/v1/IdempotencyRules.ts';
import type { AccessLog as _tulle_v1_AccessLog, AccessLog__Output as _tulle_v1_AccessLog__Output } from '../../tulle/v1/AccessLog.ts';

export interface PortPolicies {
  'access'?: (_tulle_v1_AccessRules)[];
  'strictMtls'?: (boolean);
  'rateLimits'?: (_tulle_v1_RateLimits)[];
  'idempotency'?: (_tulle_v1_IdempotencyRules | null);
  'accessLog'?: (_tulle_v1_AccessLog | null);
  '_idempotency'?: "idempotency";
  '_accessLog'?: "accessLog";
}

export interface PortPolicies__Output {
  'access': (_tulle_v1_AccessRules__Output)[];
  'strictMtls': (boolean);
  'rateLimits': (_tulle_v1_RateLimits__Output)[];
  'idempotency'?: (_tulle_v1_IdempotencyRules__Output | null);
  'accessLog'?: (_tulle_v1_AccessLog__Output | null);
  '_idempotency'?: "idempotency";
  '_accessLog'?: "accessLog";
}
