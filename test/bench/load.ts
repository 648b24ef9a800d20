/** The load programs, and parsers for their output. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ground } from "./ground.ts";
import { run } from "./processes.ts";
import { percentile } from "./statistics.ts";

export interface LoadResult {
  readonly requests: number;
  /** Requests not answered with 2xx. */
  readonly failed: number;
  readonly perSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly p999: number };
}

export type Load = (ground: Ground, seconds: number, connections: number) => Promise<LoadResult>;

const targetRate = 1_000;
const streamsPerConnection = 8;
/** How much longer than requested a load program may run. */
const patienceSeconds = 15;

const headers = ["User-Agent: bench/1.0", "Accept: application/json"].flatMap((header) => ["-H", header]);
const grpcHeaders = ["content-type: application/grpc", "te: trailers"].flatMap((header) => ["-H", header]);
const path = "/api/v1/items";

/** HTTP/1.1 at full speed. One request in a hundred belongs to a trace that its caller records. */
export const wrk: Load = (ground, seconds, connections) => {
  const script = join(ground.folder, "traces.lua");
  writeFileSync(script, tracesScript);
  return runWrk(ground, seconds, connections, ["-s", script]);
};

/** The same without traces: the first sidecar begins one, and decides. */
export const wrkWithoutTraces: Load = (ground, seconds, connections) => runWrk(ground, seconds, connections, []);

async function runWrk(
  ground: Ground,
  seconds: number,
  connections: number,
  script: readonly string[],
): Promise<LoadResult> {
  const url = urlOf(ground, `${path}?id=42`);
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", ...script, ...headers, url];
  return parseWrk(await run({ command: ground.tools.require("wrk"), args }, seconds + patienceSeconds));
}

const tracesScript = `local requests, sent = {}, 0
function init(args)
  for i = 1, 100 do
    wrk.headers["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" .. (i == 1 and "01" or "00")
    requests[i] = wrk.format()
  end
end
function request()
  sent = sent % 100 + 1
  return requests[sent]
end
`;

export function parseWrk(text: string): LoadResult {
  const ms = (percent: number): number => {
    const [, value, unit] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m)$`, "m").exec(text) ?? [];
    return Number(value ?? 0) * { us: 1e-3, ms: 1, s: 1e3, m: 6e4 }[(unit ?? "ms") as "us" | "ms" | "s" | "m"];
  };
  const requests = Number(found(text, /(\d+) requests in/));
  return {
    requests,
    failed: Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0) + socketErrors(text),
    perSecond: Number(found(text, /Requests\/sec:\s+([\d.]+)/)),
    latencyMs: { p50: ms(50), p99: ms(99), p999: 0 },
  };
}

function socketErrors(text: string): number {
  const counts = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

/** HTTP/1.1 at the target rate. Its requests carry no trace: the first sidecar begins one, and records one in a hundred. */
export const fortio: Load = fortioAt(targetRate);

/**
 * HTTP/1.1 at any rate. Its connections take turns, so that requests are spaced as evenly as possible. A request that is due
 * while the previous one on its connection is under way waits, uncounted: up to 16 ms at 1,000/s over 16 connections.
 */
export function fortioAt(rate: number): Load {
  return async (ground, seconds, connections) => {
    const log = join(ground.folder, "fortio.log");
    const much = ["-uniform", "-c", String(connections), "-qps", String(rate), "-t", `${seconds}s`];
    const url = urlOf(ground, `${path}?id=42`);
    // Its own percentiles come from a histogram with steps of a whole millisecond.
    const args = ["load", "-quiet", "-json", "-", ...much, "-access-log-file", log, ...headers, url];
    const report = await run({ command: ground.tools.require("fortio"), args }, seconds + patienceSeconds);
    return parseFortio(report, readFileSync(log, "utf8"));
  };
}

interface FortioReport {
  readonly ActualQPS: number;
  readonly DurationHistogram: { readonly Count: number };
  readonly RetCodes: Readonly<Record<string, number>>;
}

/** `log` has one JSON object per line and request, including how many seconds it took. */
export function parseFortio(json: string, log: string): LoadResult {
  const report = JSON.parse(json) as FortioReport;
  const { Count } = report.DurationHistogram;
  const tookMs = log.split("\n").flatMap((line) => {
    const seconds = /"latency":([\d.e+-]+)/.exec(line)?.[1];
    return seconds === undefined ? [] : [Number(seconds) * 1e3];
  });
  return {
    requests: Count,
    failed: Count - (report.RetCodes["200"] ?? 0),
    perSecond: report.ActualQPS,
    latencyMs: latenciesOf(tookMs),
  };
}

/** HTTP/2 at full speed, eight streams per connection. */
export const h2load: Load = (ground, seconds, connections) => runH2load(ground, seconds, connections, []);

/** HTTP/2 at the target rate. */
export const h2loadAtRate: Load = (ground, seconds, connections) =>
  runH2load(ground, seconds, connections, ["--rps", String(targetRate / connections)]);

async function runH2load(
  ground: Ground,
  seconds: number,
  connections: number,
  rate: readonly string[],
): Promise<LoadResult> {
  const log = join(ground.folder, "h2load.log");
  writeFileSync(log, "");
  const much = ["-t1", `-c${connections}`, `-m${streamsPerConnection}`, `-D${seconds}`, "--warm-up-time=0"];
  const args = [...much, ...rate, `--log-file=${log}`, ...grpcHeaders, urlOf(ground, path)];
  const command = ground.tools.require("h2load");
  const text = await run({ command, args }, seconds + patienceSeconds);
  return parseH2load(text, readFileSync(log, "utf8"), seconds);
}

/** `log` has one line per request: when it began, its status, and how many µs it took. */
export function parseH2load(text: string, log: string, seconds: number): LoadResult {
  const [, done, succeeded] = /(\d+) done, (\d+) succeeded/.exec(text) ?? [];
  const requests = Number(done ?? 0);
  const tookMs = log
    .trimEnd()
    .split("\n")
    .map((line) => Number(line.split("\t")[2] ?? 0) / 1e3);
  return {
    requests,
    failed: requests - Number(succeeded ?? 0),
    perSecond: requests / seconds,
    latencyMs: latenciesOf(tookMs),
  };
}

function latenciesOf(tookMs: readonly number[]): LoadResult["latencyMs"] {
  const sorted = Float64Array.from(tookMs).sort();
  return { p50: percentile(sorted, 50), p99: percentile(sorted, 99), p999: percentile(sorted, 99.9) };
}

function urlOf({ out }: Ground, target: string): string {
  return `http://${out.host}:${out.port}${target}`;
}

function found(text: string, pattern: RegExp): string {
  const value = pattern.exec(text)?.[1];
  if (value === undefined) throw new Error(`no ${pattern.source} in what the load program printed:\n${text}`);
  return value;
}
