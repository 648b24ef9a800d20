/**
 * `npm run test:interop [-- CASE ...]`: gRPC's interoperability suite, with the client and the server of grpc-go
 * (https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md), through two sidecar processes.
 * Builds both with Go if they are not there. Exit 1 if a case fails.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { eventually } from "../support/eventually.ts";
import { isOpen } from "../support/sidecar-pair.ts";
import { type ProcessPair, startSidecarProcesses } from "../support/sidecar-processes.ts";
import { goTools } from "../support/tools.ts";

const module = "google.golang.org/grpc/interop";
const soak = [
  "--soak_iterations=10000",
  "--soak_overall_timeout_seconds=600",
  "--soak_per_iteration_max_acceptable_latency_ms=5000",
];
const cases: Readonly<Record<string, readonly string[]>> = {
  empty_unary: [],
  large_unary: [],
  client_streaming: [],
  server_streaming: [],
  ping_pong: [],
  empty_stream: [],
  timeout_on_sleeping_server: [],
  cancel_after_begin: [],
  cancel_after_first_response: [],
  status_code_and_message: [],
  special_status_message: [],
  custom_metadata: [],
  unimplemented_method: [],
  unimplemented_service: [],
  rpc_soak: soak,
  channel_soak: soak,
};
const caseTimeoutMs = 620_000;
const port = 8_090;

/** Undefined: it passed. Else what it printed. */
async function runCase(client: string, { upstream }: ProcessPair, name: string): Promise<string | undefined> {
  const to = [`--server_host=${upstream.host}`, `--server_port=${upstream.port}`];
  const child = spawn(client, [...to, `--test_case=${name}`, ...(cases[name] ?? [])], { timeout: caseTimeoutMs });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000);
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return code === 0 ? undefined : output;
}

async function startServer(server: string, host: string): Promise<ChildProcess> {
  const child = spawn(server, [`--port=${port}`], { stdio: "ignore" });
  await eventually(() => isOpen(host, port));
  return child;
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(cases);
const unknown = chosen.filter((name) => !(name in cases));
if (unknown.length > 0) {
  console.error(`interop: no such case: ${unknown.join(", ")}; there are ${Object.keys(cases).join(", ")}`);
  process.exit(2);
}
const [client = "", server = ""] = goTools("grpc-interop", "v1.80.0", [`${module}/client`, `${module}/server`]);
await using pair = await startSidecarProcesses({ web: "127.41.0.1", orders: "127.41.0.2", port, protocol: "detect" });
const serving = await startServer(server, pair.orders);
let failed = 0;
async function tryCase(name: string): Promise<void> {
  const start = performance.now();
  const failure = await runCase(client, pair, name);
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  console.log(`interop: ${name} ${failure === undefined ? "passed" : "FAILED"}, ${seconds} s`);
  if (failure === undefined) return;
  failed++;
  console.error(failure);
}
const isSoak = (name: string): boolean => cases[name] === soak;
for (const name of chosen.filter((name) => !isSoak(name))) await tryCase(name);
// Each waits for one answer at a time.
await Promise.all(chosen.filter(isSoak).map(tryCase));
serving.kill();
console.log(`interop: ${chosen.length - failed} of ${chosen.length} cases passed`);
process.exitCode = failed === 0 ? 0 : 1;
