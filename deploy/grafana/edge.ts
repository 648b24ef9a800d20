/** One caller and one service: where its requests go, and what holds them up. */

import { type Dashboard, quantile, requests } from "./dashboard.ts";

const ofEdge = 'namespace="$namespace", workload="$workload", service="$service"';

export const edge: Dashboard = {
  uid: "tulle-edge",
  title: "Tulle: edge",
  variables: [
    { name: "namespace", label: "Caller's namespace", query: "label_values(tulle_requests_total, namespace)" },
    {
      name: "workload",
      label: "Caller",
      query: 'label_values(tulle_requests_total{namespace="$namespace"}, workload)',
    },
    {
      name: "service",
      label: "Service",
      query:
        'label_values(tulle_requests_total{direction="outbound", namespace="$namespace", workload="$workload"}, service)',
    },
  ],
  rows: [
    [
      {
        title: "Requests by status",
        says: "Of this caller to this service.",
        kind: "timeseries",
        unit: "reqps",
        queries: [{ expr: `sum by (code, grpc, error) (${requests(ofEdge)})`, legend: "{{code}} {{grpc}} {{error}}" }],
      },
      {
        title: "Where they went",
        says: "The backend that the last try went to.",
        kind: "timeseries",
        unit: "reqps",
        queries: [{ expr: `sum by (peer) (${requests(ofEdge)})`, legend: "{{peer}}" }],
      },
      {
        title: "Latency",
        says: "From a request's head to the end of its answer, all tries together.",
        kind: "timeseries",
        unit: "s",
        queries: [0.5, 0.99].map((share) => ({ expr: quantile(share, "service", ofEdge), legend: `p${share * 100}` })),
      },
    ],
    [
      {
        title: "Breakers that are not closed",
        says: "1 half-open, 2 open, by endpoint.",
        kind: "table",
        unit: "none",
        queries: [
          {
            expr: 'max by (backend, endpoint) (tulle_breaker_state{namespace="$namespace", workload="$workload"}) > 0',
            legend: "{{endpoint}}",
          },
        ],
      },
      {
        title: "Endpoints it knows",
        says: "By backend and state.",
        kind: "timeseries",
        unit: "short",
        queries: [
          {
            expr: 'max by (backend, state) (tulle_endpoints{namespace="$namespace", workload="$workload"})',
            legend: "{{backend}} {{state}}",
          },
        ],
      },
      {
        title: "Connections",
        says: "Open ones of the caller's sidecar, by direction.",
        kind: "timeseries",
        unit: "short",
        queries: [
          {
            expr: 'sum by (direction) (tulle_connections{namespace="$namespace", workload="$workload"})',
            legend: "{{direction}}",
          },
        ],
      },
    ],
  ],
};
