/** One service as its callers see it: success, latency, split, retries. */

import { type Dashboard, quantile, range, requests, successShare, type Variable } from "./dashboard.ts";

const servicesVariable: Variable = {
  name: "service",
  label: "Service",
  query: 'label_values(tulle_requests_total{direction="outbound"}, service)',
};

const ofService = 'service="$service"';

export const service: Dashboard = {
  uid: "tulle-service",
  title: "Tulle: service",
  variables: [servicesVariable],
  rows: [
    [
      {
        title: "Requests by status",
        says: "As the callers got it.",
        kind: "timeseries",
        unit: "reqps",
        queries: [{ expr: `sum by (code, grpc) (${requests(ofService)})`, legend: "{{code}} {{grpc}}" }],
      },
      {
        title: "Success",
        says: "The share that ended below 500.",
        kind: "timeseries",
        unit: "percentunit",
        queries: [{ expr: successShare("service", ofService), legend: "success" }],
      },
      {
        title: "Latency",
        says: "From a request's head to the end of its answer, all tries together.",
        kind: "timeseries",
        unit: "s",
        queries: [0.5, 0.9, 0.99].map((share) => ({
          expr: quantile(share, "service", ofService),
          legend: `p${share * 100}`,
        })),
      },
    ],
    [
      {
        title: "Split as observed",
        says: "The share of each backend in what was sent.",
        kind: "timeseries",
        unit: "percentunit",
        queries: [
          {
            expr: `sum by (backend) (rate(tulle_split_requests_total{${ofService}}${range})) / on () group_left () sum(rate(tulle_split_requests_total{${ofService}}${range}))`,
            legend: "{{backend}}",
          },
        ],
      },
      {
        title: "Split as wanted",
        says: "The weights of the route, as configured.",
        kind: "timeseries",
        unit: "short",
        queries: [
          { expr: `max by (route, backend) (tulle_split_weight{${ofService}})`, legend: "{{route}}: {{backend}}" },
        ],
      },
      {
        title: "Tries",
        says: "First ones and retries, by what came of them.",
        kind: "timeseries",
        unit: "reqps",
        queries: [
          { expr: `sum by (outcome) (rate(tulle_attempts_total{${ofService}}${range}))`, legend: "{{outcome}}" },
        ],
      },
    ],
    [
      {
        title: "Retries",
        says: "Tries made again, by what was wrong with the one before.",
        kind: "timeseries",
        unit: "reqps",
        queries: [{ expr: `sum by (reason) (rate(tulle_retries_total{${ofService}}${range}))`, legend: "{{reason}}" }],
      },
      {
        title: "Retries not made",
        says: "Failed tries that were not retried, by the reason.",
        kind: "timeseries",
        unit: "reqps",
        queries: [
          { expr: `sum by (reason) (rate(tulle_retries_skipped_total{${ofService}}${range}))`, legend: "{{reason}}" },
        ],
      },
      {
        title: "Retry budget left",
        says: "The share of it, of the caller's sidecar that has the least: at 0 no retry is made.",
        kind: "timeseries",
        unit: "percentunit",
        queries: [
          {
            expr: `min by (namespace, workload) (tulle_retry_budget_remaining{${ofService}} / tulle_retry_budget_allowed{${ofService}})`,
            legend: "{{namespace}}/{{workload}}",
          },
        ],
      },
    ],
    [
      {
        title: "Refused by access policies",
        says: "Enforced, or only audited, by policy. All services of the mesh.",
        kind: "timeseries",
        unit: "reqps",
        queries: [
          {
            expr: `sum by (policy, mode) (rate(tulle_access_refused_total${range}))`,
            legend: "{{policy}} ({{mode}})",
          },
        ],
      },
    ],
    [
      {
        title: "Bytes",
        says: "Of bodies, and of what goes through tunnels and opaque connections, as its callers' sidecars see it.",
        kind: "timeseries",
        unit: "Bps",
        queries: (["request", "response"] as const).map((way) => ({
          expr: `sum(rate(tulle_${way}_bytes_total{direction="outbound", ${ofService}}${range}))`,
          legend: way,
        })),
      },
    ],
  ],
};
