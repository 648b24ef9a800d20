/** `tulle sidecar`: one sidecar without a control plane, for debugging and measuring. */

import { readFile } from "node:fs/promises";
import { Command, Option } from "commander";
import type { Resource } from "../model/resources.ts";
import { parseUpstreams } from "../model/upstream.ts";
import type { SidecarConfig } from "../sidecar/config.ts";
import { runSidecar } from "../sidecar/run.ts";
import { fromFiles } from "../sidecar/sources.ts";
import { parseAccessLog } from "../sidecar/telemetry/logged-requests.ts";
import { parseOtlpReceiver } from "../sidecar/telemetry/otlp-receiver.ts";
import { parseSampler } from "../sidecar/telemetry/sampling.ts";
import { jsonLog, reasonOf } from "../system/log.ts";
import { systemErrorCode, UsageError, unreadable } from "./usage-error.ts";

interface SidecarFlags {
  readonly snapshot: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly podIp: string;
  readonly upstream: readonly string[];
  readonly trustDomain: string;
  readonly intercept: SidecarConfig["interception"];
}

const help = `
It listens on the pod IP: 15001 for the application's requests (a forward proxy), 15008 for peers, 15020 for /metrics and
/ready. On Ctrl-C it drains and exits.

Examples:
  $ tulle compile -f deploy/demo --for shop/web -o json > web.json
  $ tulle sidecar --snapshot web.json --cert web.pem --key web.key --ca ca.pem --pod-ip 127.0.0.2
  $ tulle sidecar --snapshot web.json --cert web.pem --key web.key --ca ca.pem --upstream orders:80=127.0.0.1:9001`;

export function sidecarCommand(): Command {
  return new Command("sidecar")
    .description("run one sidecar from files, without a control plane")
    .requiredOption("--snapshot <file>", "output of `tulle compile --for … -o json`")
    .requiredOption("--cert <file>", "the certificate chain, PEM, the leaf first")
    .requiredOption("--key <file>", "its private key, PEM")
    .requiredOption("--ca <file>", "the roots that peers' certificates lead to, PEM")
    .option("--pod-ip <address>", "address of the sidecar's listeners and of the application", "127.0.0.1")
    .option("--upstream <destination=listener...>", "a listener for one destination: payments:80=127.0.0.1:9001", [])
    .option("--trust-domain <domain>", "trust domain of the peers", "cluster.local")
    .addOption(
      new Option(
        "--intercept <how>",
        "iptables: also take what is redirected to 15001 on its way out, to 15006 on its way in",
      )
        .choices(["iptables", "off"])
        .default("off"),
    )
    .addHelpText("after", help)
    .action((flags: SidecarFlags) => run(flags));
}

async function run(flags: SidecarFlags): Promise<void> {
  const upstreams = parseUpstreams(flags.upstream.join(","));
  if (!upstreams.ok) throw new UsageError(`--upstream: ${upstreams.error}`);
  const sampler = parseSampler(process.env);
  if (!sampler.ok) throw new UsageError(`${sampler.error.path}: ${sampler.error.message}`);
  const accessLog = parseAccessLog(process.env["TULLE_ACCESS_LOG"]);
  if (!accessLog.ok) throw new UsageError(`${accessLog.error.path}: ${accessLog.error.message}`);
  const otlp = parseOtlpReceiver(process.env);
  if (!otlp.ok) throw new UsageError(`${otlp.error.path}: ${otlp.error.message}`);
  const [namespace, workload] = await workloadOf(flags.snapshot);
  const redisUrlFile = process.env["TULLE_REDIS_URL_FILE"];
  const config: SidecarConfig = {
    namespace,
    workload,
    pod: workload,
    podIp: flags.podIp,
    locality: {},
    trustDomain: flags.trustDomain,
    upstreams: upstreams.value,
    outboundMtls: "preferred",
    routeBy: "address",
    outside: "allow",
    probes: new Map(),
    logLevel: "info",
    recentTraces: false,
    drainGraceMs: 10_000,
    ...(redisUrlFile !== undefined && { redisUrlFile }),
    interception: flags.intercept,
  };
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const files = { snapshot: flags.snapshot, certificate: flags.cert, privateKey: flags.key, trustBundle: flags.ca };
  const logThreshold = { level: config.logLevel };
  const log = jsonLog("sidecar", logThreshold, (line) => process.stderr.write(line));
  try {
    const openSources = () => fromFiles(files);
    await runSidecar({
      config,
      sampler: sampler.value,
      accessLog: accessLog.value,
      otlp: otlp.value,
      log,
      logThreshold,
      stop: stop.signal,
      openSources,
    });
  } catch (error) {
    throw new UsageError(reasonOf(error));
  }
}

/** Takes the workload whose Inbound is in the snapshot. */
async function workloadOf(file: string): Promise<[namespace: string, workload: string]> {
  let resources: readonly Resource[] = [];
  try {
    ({ resources } = JSON.parse(await readFile(file, "utf8")) as { resources: readonly Resource[] });
  } catch (error) {
    throw systemErrorCode(error) === undefined
      ? new UsageError(`--snapshot ${file}: ${reasonOf(error)}`, { cause: error })
      : unreadable(file, error);
  }
  const inbound = resources.find(({ kind }) => kind === "inbound");
  const [namespace, workload] = inbound?.value.name.split("/") ?? [];
  if (namespace === undefined || workload === undefined) throw new UsageError(`--snapshot ${file}: it has no Inbound`);
  return [namespace, workload];
}
