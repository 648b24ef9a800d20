/** The whole mesh at a glance: which service fails, which is slow, and whether the mesh itself is well. */

import { type Dashboard, quantile, range, requests, successShare } from "./dashboard.ts";

export const mesh: Dashboard = {
  uid: "tulle-mesh",
  title: "Tulle: mesh",
  variables: [],
  rows: [
    [
      {
        title: "Requests",
        says: "All requests that applications made through their sidecars.",
        kind: "stat",
        unit: "reqps",
        queries: [{ expr: `sum(${requests("")})`, legend: "requests" }],
      },
      {
        title: "Success",
        says: "The share that ended below 500, and was not given up by its caller.",
        kind: "stat",
        unit: "percentunit",
        queries: [{ expr: `sum(${requests('result="success"')}) / sum(${requests("")})`, legend: "success" }],
      },
      {
        title: "Open breakers",
        says: "Endpoints that a caller sends nothing to.",
        kind: "stat",
        unit: "short",
        queries: [{ expr: "count(tulle_breaker_state == 2) or vector(0)", legend: "open" }],
      },
      {
        title: "Sidecars",
        says: "With a stream from the control plane, and without one.",
        kind: "stat",
        unit: "short",
        queries: [
          { expr: "sum(tulle_control_stream_connected)", legend: "connected" },
          { expr: "count(tulle_control_stream_connected == 0) or vector(0)", legend: "on their own" },
        ],
      },
    ],
    [
      {
        title: "Requests by service",
        says: "As their callers saw them.",
        kind: "timeseries",
        unit: "reqps",
        queries: [{ expr: `sum by (service) (${requests("")})`, legend: "{{service}}" }],
      },
      {
        title: "Success by service",
        says: "The share that ended below 500.",
        kind: "timeseries",
        unit: "percentunit",
        queries: [{ expr: successShare("service", ""), legend: "{{service}}" }],
      },
      {
        title: "99th percentile by service",
        says: "From a request's head to the end of its answer, all tries together.",
        kind: "timeseries",
        unit: "s",
        queries: [{ expr: quantile(0.99, "service", ""), legend: "{{service}}" }],
      },
    ],
    [
      {
        title: "Answers that the mesh made itself",
        says: "By code: docs/errors.md tells each one's cause and remedy.",
        kind: "timeseries",
        unit: "reqps",
        queries: [{ expr: `sum by (error) (${requests('error!=""')})`, legend: "{{error}}" }],
      },
      {
        title: "Policy versions at once",
        says: "How many versions of a workload's own policy its pods go by: more than one, while a change is on its way.",
        kind: "timeseries",
        unit: "short",
        queries: [
          {
            expr: "count by (namespace, workload) (count by (namespace, workload, version) (tulle_inbound_policy_info))",
            legend: "{{namespace}}/{{workload}}",
          },
        ],
      },
      {
        title: "Certificates: least time left",
        says: "Of the workload that is nearest to its certificate's end; renewed at 70 % of its life.",
        kind: "timeseries",
        unit: "s",
        queries: [
          {
            expr: "min by (namespace, workload) (tulle_certificate_expiry_timestamp_seconds) - time()",
            legend: "{{namespace}}/{{workload}}",
          },
        ],
      },
      {
        title: "Handshakes that failed",
        says: "Mutual TLS, by what was wrong.",
        kind: "timeseries",
        unit: "ops",
        queries: [
          {
            expr: `sum by (direction, outcome) (rate(tulle_tls_handshakes_total{outcome!="ok"}${range}))`,
            legend: "{{direction}} {{outcome}}",
          },
        ],
      },
    ],
  ],
};
