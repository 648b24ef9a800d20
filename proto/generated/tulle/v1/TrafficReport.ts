// Original file: tulle/v1/discovery.proto

import type { EdgeTraffic as _tulle_v1_EdgeTraffic, EdgeTraffic__Output as _tulle_v1_EdgeTraffic__Output } from '../../tulle/v1/EdgeTraffic.ts';
import type { ServiceLatency as _tulle_v1_ServiceLatency, ServiceLatency__Output as _tulle_v1_ServiceLatency__Output } from '../../tulle/v1/ServiceLatency.ts';
import type { BreakerReport as _tulle_v1_BreakerReport, BreakerReport__Output as _tulle_v1_BreakerReport__Output } from '../../tulle/v1/BreakerReport.ts';
import type { ReportedSpan as _tulle_v1_ReportedSpan, ReportedSpan__Output as _tulle_v1_ReportedSpan__Output } from '../../tulle/v1/ReportedSpan.ts';
import type { Long } from '@grpc/proto-loader';

export interface TrafficReport {
  'windowMs'?: (number);
  'edges'?: (_tulle_v1_EdgeTraffic)[];
  'latencies'?: (_tulle_v1_ServiceLatency)[];
  'breakers'?: (_tulle_v1_BreakerReport)[];
  'certificateExpiryUnixSeconds'?: (number | string | Long);
  'spans'?: (_tulle_v1_ReportedSpan)[];
  'lostCalls'?: (number);
}

export interface TrafficReport__Output {
  'windowMs': (number);
  'edges': (_tulle_v1_EdgeTraffic__Output)[];
  'latencies': (_tulle_v1_ServiceLatency__Output)[];
  'breakers': (_tulle_v1_BreakerReport__Output)[];
  'certificateExpiryUnixSeconds': (number);
  'spans': (_tulle_v1_ReportedSpan__Output)[];
  'lostCalls': (number);
}
