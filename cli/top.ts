/** `tulle top`: live edges, busiest first, redrawn every two seconds; printed once if the output is not a terminal. */

import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { MeshView } from "../control-plane/dashboard/mesh-view.ts";
import { formatMs, formatMutualTls, formatRate, formatShare } from "../control-plane/dashboard/page/format.ts";
import { addMeshOptions, howToReach, type MeshOptions, openMesh } from "./mesh-client.ts";
import { formatTable } from "./table.ts";

interface TopOptions extends MeshOptions {
  readonly once?: boolean;
  readonly output: "json" | "text";
}

const everyMs = 2_000;
/** Clears the screen and moves the cursor to the top. */
const clear = "\u001b[2J\u001b[H";

const help = `${howToReach}

Figures cover the last ten seconds, as counted by the callers' sidecars; p50 and p99 cover all callers of the service.
MTLS says whether the requests used mutual TLS: yes, no, the share that did, or unknown if no endpoint was reached or the
caller's sidecar is too old to report it.

Examples:
  $ tulle top
  $ tulle top --once
  $ tulle top -o json | jq '.edges[] | select(.successShare < 1)'`;

export function topCommand(): Command {
  const command = new Command("top");
  return addMeshOptions(command)
    .description("show who calls whom now: requests, success, latency")
    .option("--once", "print once and exit, as when the output is not a terminal")
    .addOption(
      command.createOption("-o, --output <format>", "json: one picture").choices(["json", "text"]).default("text"),
    )
    .addHelpText("after", help)
    .action((options: TopOptions) => run(options));
}

async function run({ once = false, output, ...options }: TopOptions): Promise<void> {
  const live = process.stdout.isTTY && !once && output === "text";
  const mesh = await openMesh(options, process.env);
  try {
    for (;;) {
      const view = await mesh.read();
      const picture = output === "json" ? `${JSON.stringify(view, undefined, 2)}\n` : drawTop(view);
      process.stdout.write(live ? clear + picture : picture);
      if (!live) return;
      await sleep(everyMs);
    }
  } finally {
    mesh.close();
  }
}

const columns = [
  { title: "FROM" },
  { title: "SERVICE" },
  { title: "BACKEND" },
  { title: "REQUESTS", align: "right" },
  { title: "SUCCESS", align: "right" },
  { title: "P50", align: "right" },
  { title: "P99", align: "right" },
  { title: "MTLS" },
] as const;

function drawTop({ edges, latencies, breakers }: Pick<MeshView, "edges" | "latencies" | "breakers">): string {
  if (edges.length === 0) return "no requests in the last ten seconds\n";
  const latencyOf = new Map(latencies.map((latency) => [latency.service, latency]));
  const rows = edges
    .toSorted((a, b) => b.requestsPerSecond - a.requestsPerSecond)
    .map(({ from, service, backend, requestsPerSecond, successShare, mutualTlsShare }) => {
      const latency = latencyOf.get(service);
      const figures = [formatRate(requestsPerSecond), formatShare(successShare)];
      const times = latency === undefined ? ["-", "-"] : [formatMs(latency.p50Ms), formatMs(latency.p99Ms)];
      return [from, service, backend === "" ? "-" : backend, ...figures, ...times, formatMutualTls(mutualTlsShare)];
    });
  const open = breakers.map(
    ({ from, endpoint, backend, state }) => `breaker ${state}: ${from} to ${endpoint} of ${backend}`,
  );
  return `${[...formatTable(columns, rows), ...open].join("\n")}\n`;
}
