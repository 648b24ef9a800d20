/** The control plane: how soon changes are in force, certificates, and problems with policies. */

import { type Dashboard, range } from "./dashboard.ts";

export const controlPlane: Dashboard = {
  uid: "tulle-control-plane",
  title: "Tulle: control plane",
  variables: [],
  rows: [
    [
      {
        title: "Sidecars connected",
        says: "Those with a stream to a control plane.",
        kind: "stat",
        unit: "short",
        queries: [{ expr: "sum(tulle_subscribers)", legend: "sidecars" }],
      },
      {
        title: "Problems",
        says: "What is wrong with policies, by severity.",
        kind: "stat",
        unit: "short",
        queries: [{ expr: "max by (severity) (tulle_problems)", legend: "{{severity}}" }],
      },
      {
        title: "Root certificate: time left",
        says: "Rotate it well before its end.",
        kind: "stat",
        unit: "s",
        queries: [{ expr: "min(tulle_root_expiry_timestamp_seconds) - time()", legend: "root" }],
      },
      {
        title: "Policies not in force everywhere",
        says: "Policies and routes that a sidecar has refused, or not answered to yet.",
        kind: "stat",
        unit: "short",
        queries: [{ expr: "max by (reason) (tulle_policies_not_programmed)", legend: "{{reason}}" }],
      },
    ],
    [
      {
        title: "From a change to its acknowledgement",
        says: "How long until sidecars had a change in force.",
        kind: "timeseries",
        unit: "s",
        queries: [0.5, 0.99].map((share) => ({
          expr: `histogram_quantile(${share}, sum by (le) (rate(tulle_push_seconds_bucket${range})))`,
          legend: `p${share * 100}`,
        })),
      },
      {
        title: "Compiling",
        says: "Time from a change of the source to the snapshot that has it.",
        kind: "timeseries",
        unit: "s",
        queries: [
          {
            expr: `histogram_quantile(0.99, sum by (le) (rate(tulle_compile_seconds_bucket${range})))`,
            legend: "p99",
          },
        ],
      },
      {
        title: "Pushes",
        says: "Updates written, acknowledged and refused.",
        kind: "timeseries",
        unit: "ops",
        queries: [
          { expr: `sum(rate(tulle_pushes_total${range}))`, legend: "written" },
          { expr: `sum(rate(tulle_push_acks_total${range}))`, legend: "acknowledged" },
          { expr: `sum(rate(tulle_push_nacks_total${range}))`, legend: "refused" },
        ],
      },
    ],
    [
      {
        title: "Sidecars behind",
        says: "Those that do not have the newest version of all they hold: they have not answered, or refused it.",
        kind: "timeseries",
        unit: "short",
        queries: [{ expr: "sum by (reason) (tulle_sidecars_behind)", legend: "{{reason}}" }],
      },
      {
        title: "Policy lag",
        says: "Time since the oldest change that a sidecar does not have in force; who has all of them is not here.",
        kind: "timeseries",
        unit: "s",
        queries: [{ expr: "max by (sidecar, reason) (tulle_sidecar_lag_seconds)", legend: "{{sidecar}} {{reason}}" }],
      },
      {
        title: "Versions behind",
        says: "Resources of which a sidecar does not have the newest version.",
        kind: "table",
        unit: "none",
        queries: [
          { expr: "max by (sidecar, reason) (tulle_sidecar_versions_behind)", legend: "{{sidecar}} {{reason}}" },
        ],
      },
    ],
    [
      {
        title: "Certificates",
        says: "Issued, and refused by reason.",
        kind: "timeseries",
        unit: "ops",
        queries: [
          { expr: `sum(rate(tulle_certificates_issued_total${range}))`, legend: "issued" },
          { expr: `sum by (reason) (rate(tulle_certificates_refused_total${range}))`, legend: "{{reason}}" },
        ],
      },
      {
        title: "CPU",
        says: "Cores in use, by control plane.",
        kind: "timeseries",
        unit: "short",
        queries: [
          {
            expr: `rate(process_cpu_seconds_total${range}) and on (instance) tulle_subscribers`,
            legend: "{{instance}}",
          },
        ],
      },
      {
        title: "Memory",
        says: "Resident bytes, by control plane.",
        kind: "timeseries",
        unit: "bytes",
        queries: [
          { expr: "process_resident_memory_bytes and on (instance) tulle_subscribers", legend: "{{instance}}" },
        ],
      },
    ],
  ],
};
