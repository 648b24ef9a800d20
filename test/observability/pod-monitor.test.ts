/**
 * The chart's PodMonitor, as the Prometheus operator translates it, before a real Prometheus's relabelling. The targets are what
 * its Kubernetes discovery makes of pods: one for each port of a container, or one without a port for a container that has none.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { defaultInjectionConfig } from "../../control-plane/injection/config.ts";
import { inject } from "../../control-plane/injection/inject.ts";
import type { Container } from "../../control-plane/injection/pod-spec.ts";
import { installPrometheus } from "./prometheus.ts";

interface Relabeling {
  readonly sourceLabels?: readonly string[];
  readonly regex?: string;
  readonly action?: string;
  readonly replacement?: string;
  readonly targetLabel?: string;
}

interface Endpoint {
  readonly port?: string;
  readonly portNumber?: number;
  readonly path: string;
  readonly relabelings: readonly Relabeling[];
}

type Labels = Readonly<Record<string, string>>;

const meta = "__meta_kubernetes_pod_";
/** promtool collects targets for as long as it is told to; these are there at once. */
const collectFor = "2s";

/** Without what Helm fills in, which is names and labels. */
function readEndpoint(): Endpoint {
  const template = readFileSync(join(import.meta.dirname, "../../charts/tulle/templates/monitors.yaml"), "utf8");
  const plain = template.split("\n").filter((line) => !line.includes("{{"));
  const monitor = plain.join("\n").split("---\n")[1] ?? "";
  const { spec } = parse(monitor) as { spec: { podMetricsEndpoints: [Endpoint] } };
  return spec.podMetricsEndpoints[0];
}

/** The operator puts its own choice by port before the monitor's. */
function scrapeConfig({ port, portNumber, path, relabelings }: Endpoint, targets: readonly Labels[]): unknown {
  const byPort: Relabeling[] = [
    ...(port === undefined ? [] : [keep(`${meta}container_port_name`, port)]),
    ...(portNumber === undefined ? [] : [keep(`${meta}container_port_number`, String(portNumber))]),
  ];
  return {
    job_name: "tulle-sidecars",
    metrics_path: path,
    static_configs: targets.map(({ __address__ = "", ...labels }) => ({ targets: [__address__], labels })),
    relabel_configs: [...byPort, ...relabelings].map(({ sourceLabels, targetLabel, ...rest }) => ({
      ...rest,
      ...(sourceLabels !== undefined && { source_labels: sourceLabels }),
      ...(targetLabel !== undefined && { target_label: targetLabel }),
    })),
  };
}

function keep(label: string, regex: string): Relabeling {
  return { sourceLabels: [label], regex, action: "keep" };
}

/** What Prometheus discovers of a pod with two ports, meshed or not. */
function discovered(name: string, ip: string, isMeshed: boolean): Labels[] {
  const ports = [{ name: "http", containerPort: 8080 }, { containerPort: 15_090 }];
  const plain = { metadata: { name }, spec: { containers: [{ name: "app", ports }] } };
  const injection = inject(plain, { namespace: "shop", workload: name }, defaultInjectionConfig);
  if (injection.kind !== "injected") throw new Error(JSON.stringify(injection));
  const { metadata, spec } = isMeshed ? injection.pod : { ...plain, metadata: { name, annotations: {} } };
  const annotations = Object.entries(metadata?.annotations ?? {}).map(
    ([key, value]) => [`${meta}annotation_${key.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`, value] as const,
  );
  const pod = { ...Object.fromEntries(annotations), [`${meta}name`]: name, [`${meta}ip`]: ip };
  const of = (container: Container, init: string): Labels[] => {
    const labels = { ...pod, [`${meta}container_name`]: container.name, [`${meta}container_init`]: init };
    const host = ip.includes(":") ? `[${ip}]` : ip;
    if (container.ports === undefined) return [{ ...labels, __address__: ip }];
    return container.ports.map(({ name: portName = "", containerPort = 0 }) => ({
      ...labels,
      __address__: `${host}:${containerPort}`,
      [`${meta}container_port_name`]: portName,
      [`${meta}container_port_number`]: String(containerPort),
    }));
  };
  const init = "initContainers" in spec ? (spec.initContainers ?? []) : [];
  return [...spec.containers.flatMap((app) => of(app, "false")), ...init.flatMap((first) => of(first, "true"))];
}

function relabelled(targets: readonly Labels[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "tulle-pod-monitor-"));
  try {
    const file = join(folder, "prometheus.yaml");
    writeFileSync(file, JSON.stringify({ scrape_configs: [scrapeConfig(readEndpoint(), targets)] }));
    const args = ["check", "service-discovery", `--timeout=${collectFor}`, file, "tulle-sidecars"];
    const { status, stdout, stderr, error } = spawnSync("promtool", args, { encoding: "utf8" });
    if (error !== undefined) throw new Error(`promtool is missing: ${installPrometheus}`, { cause: error });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const found = JSON.parse(stdout) as { readonly labels?: Labels | null }[];
    return found.flatMap(({ labels }) => (Object.keys(labels ?? {}).length > 0 ? [labels?.["__address__"] ?? ""] : []));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it("has each meshed pod scraped once, at its sidecar's port, by IPv4 or IPv6, and no other pod", () => {
  const targets = [
    ...discovered("orders", "10.0.0.7", true),
    ...discovered("payments", "fd00::7", true),
    ...discovered("plain", "10.0.0.8", false),
  ];
  expect(relabelled(targets).sort()).toEqual(["10.0.0.7:15020", "[fd00::7]:15020"]);
});
