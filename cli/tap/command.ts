/** `tulle tap`: requests as they happen, as seen by the callers' sidecars or by the called ones. */

import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { maxRequestsPerSecond } from "../../sidecar/debug/debug-pages.ts";
import { parseTapFilter, type TapFilter } from "../../sidecar/debug/tap-filter.ts";
import { onStopRequest } from "../dev/stop-request.ts";
import { thereAre } from "../known-names.ts";
import { addMeshOptions, howToReach, type Mesh, type MeshOptions, openMesh } from "../mesh-client.ts";
import { findSidecars, type SidecarRef } from "../sidecars/find-sidecars.ts";
import { paintFor } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { LineOutput } from "./line-output.ts";
import { type LiveRequest, LiveRequests } from "./live-requests.ts";
import { printRequest } from "./print.ts";

interface TapOptions extends MeshOptions {
  readonly namespace?: string;
  readonly from?: string;
  readonly to?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: string;
  readonly errors?: true;
  readonly inbound?: true;
  readonly rate: string;
  readonly limit?: string;
  readonly output: "json" | "text";
}

const lookAgainMs = 5_000;
/** Each sidecar needs a connection through the API server. */
const maxSidecars = 50;

const help = `${howToReach}

A request is shown when it ends, by its caller's sidecar, or with --inbound by the called one, which also sees callers outside
the mesh. Header fields, queries and bodies are never shown. In a cluster this requires the right to forward ports of the pods
being watched, and no other. It runs until Ctrl-C, or until --limit.

Examples:
  $ tulle tap --namespace shop
  $ tulle tap --from shop/web --to shop/catalog --errors
  $ tulle tap --inbound --to shop/payments --method POST
  $ tulle tap --status 5xx -o json | jq '[.from, .to, .error]'`;

export function tapCommand(): Command {
  const command = new Command("tap");
  return addMeshOptions(command)
    .description("show requests as they happen: who calls whom, and with what result")
    .option("-n, --namespace <name>", "the namespace to watch; default: all, or that of --from")
    .option("--from <namespace/workload>", "the caller; a namespace alone: anyone there")
    .option("--to <namespace/name>", "the called Service, or a backend behind it; outside the mesh a host")
    .option("--method <method>", "GET, POST …")
    .option("--path <prefix>", "the beginning of the path")
    .option("--status <status>", "503, or a whole class: 5xx")
    .option("--errors", "only requests that the mesh answered itself, that broke off, or with a status from 500 on")
    .option("--inbound", "as seen by the called pods' sidecars instead of the callers'")
    .option("--rate <number>", "at most so many requests per second; the rest is counted", "100")
    .option("--limit <number>", "stop after so many requests")
    .addOption(
      command
        .createOption("-o, --output <format>", "json: an object per line")
        .choices(["json", "text"])
        .default("text"),
    )
    .addHelpText("after", help)
    .action((options: TapOptions) => run(options));
}

async function run(options: TapOptions): Promise<void> {
  const filter = filterOf(options);
  const requestsPerSecond = readNumber("--rate", options.rate, maxRequestsPerSecond);
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : readNumber("--limit", options.limit);
  const mesh = await openMesh(options, process.env);
  const stopRequest = onStopRequest();
  const enough = new AbortController();
  const stop = AbortSignal.any([stopRequest.signal, enough.signal]);
  const print = printer(options);
  let shown = 0;
  const live = new LiveRequests({
    filter,
    requestsPerSecond,
    onRequest(request) {
      if (shown >= limit || !print(request)) return;
      if (++shown >= limit) enough.abort();
    },
    onMissed: (count, pod) => warn(`${count} more of ${pod}, not shown; --rate and filters say how many and which`),
    onTrouble: warn,
  });
  try {
    await followAll(mesh, live, options, stop);
  } finally {
    live.close();
    mesh.close();
    stopRequest.forget();
  }
}

/** Runs until `stop`. Throws a `UsageError` if there is nothing to watch. */
async function followAll(mesh: Mesh, live: LiveRequests, options: TapOptions, stop: AbortSignal): Promise<void> {
  const first = await sidecarsOf(mesh, options);
  if (first.length === 0)
    throw new UsageError(`no sidecar ${describePlace(options)}${await othersThere(mesh, options)}`);
  if (first.length > maxSidecars)
    warn(`${first.length} sidecars ${describePlace(options)}: the first ${maxSidecars} are shown; --from narrows it`);
  for (let sidecars = first; !stop.aborted; ) {
    await live.follow(sidecars.slice(0, maxSidecars));
    await sleep(lookAgainMs, undefined, { signal: stop }).catch(() => {});
    if (!stop.aborted) sidecars = await sidecarsOf(mesh, options).catch(() => sidecars);
  }
}

/** The sidecars that may have something to report. */
async function sidecarsOf(mesh: Mesh, options: TapOptions): Promise<readonly SidecarRef[]> {
  const [namespace, workload] = placeOf(options);
  const sidecars = await findSidecars(mesh, namespace);
  return workload === undefined
    ? sidecars
    : sidecars.filter((sidecar) => sidecar.workload === `${namespace}/${workload}`);
}

/** The workloads that the user may have meant. */
async function othersThere(mesh: Mesh, options: TapOptions): Promise<string> {
  const [namespace, workload] = placeOf(options);
  if (workload === undefined) return "";
  const known = (await findSidecars(mesh, namespace)).map((sidecar) => sidecar.workload);
  return `; ${thereAre([...new Set(known)], `${namespace}/${workload}`)}`;
}

/** The place of the reporting sidecars: the caller's end, or with `--inbound` the other. */
function placeOf({ namespace, from, to, inbound }: TapOptions): [namespace?: string, workload?: string] {
  const end = inbound ? to : from;
  const [place, workload] = end?.split("/") ?? [];
  if (namespace !== undefined && place !== undefined && namespace !== place)
    throw new UsageError(`--namespace ${namespace} has no ${end}`);
  const shown = place ?? namespace;
  if (shown === undefined) return [];
  return workload === undefined ? [shown] : [shown, workload];
}

function describePlace(options: TapOptions): string {
  const [namespace, workload] = placeOf(options);
  if (namespace === undefined) return "in this mesh";
  return workload === undefined ? `in namespace ${namespace}` : `of ${namespace}/${workload}`;
}

function filterOf({ from, to, method, path, status, errors, inbound }: TapOptions): TapFilter {
  const direction = inbound ? "inbound" : "outbound";
  const filter = parseTapFilter({ direction, from, to, method, path, status, ...(errors && { errors: "true" }) });
  if (!filter.ok) throw new UsageError(`--${filter.error}`);
  return filter.value;
}

function readNumber(option: string, text: string, most = Number.MAX_SAFE_INTEGER): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= most) return number;
  throw new UsageError(
    `${option} must be a whole number from 1${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ""}, got ${text}`,
  );
}

/** Returns false for a request that is left out, because nobody reads at the moment. */
function printer({ output }: TapOptions): (request: LiveRequest) => boolean {
  const paint = paintFor(process.stdout, process.env);
  const lines = new LineOutput(process.stdout, (count) => warn(`${count} more while nobody read, not shown`));
  return (request) => lines.write(output === "json" ? JSON.stringify(request) : printRequest(request, paint));
}

function warn(line: string): void {
  process.stderr.write(`${paintFor(process.stderr, process.env)("yellow", "tulle:")} ${line}\n`);
}
