import { expect, it } from "vitest";
import { parseFortio, parseH2load, parseWrk } from "../bench/load.ts";

it("reads wrk, whose latencies carry their units", () => {
  const printed = `  Latency Distribution
     50%  811.00us
     75%    1.02ms
     90%    1.31ms
     99%    2.50ms
  10152 requests in 2.00s, 2.47MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec:   5073.90
Transfer/sec:      1.23MB
`;
  expect(parseWrk(printed)).toEqual({
    requests: 10_152,
    failed: 10,
    perSecond: 5073.9,
    latencyMs: { p50: 0.811, p99: 2.5, p999: 0 },
  });
});

it("says what wrk printed instead of figures", () => {
  expect(() => parseWrk("unable to connect")).toThrow("unable to connect");
});

it("reads fortio, and percentiles from its log, which counts in seconds", () => {
  const report = { ActualQPS: 999.5, DurationHistogram: { Count: 4 }, RetCodes: { "200": 3, "503": 1 } };
  const log = [0.004, 0.0008, 0.000002, 0.001]
    .map((latency, iter) => `${JSON.stringify({ latency, timestamp: 1_795_422_292_083_985, thread: 0, iter })}\n`)
    .join("");
  expect(parseFortio(JSON.stringify(report), log)).toEqual({
    requests: 4,
    failed: 1,
    perSecond: 999.5,
    latencyMs: { p50: 0.8, p99: 4, p999: 4 },
  });
});

it("reads h2load, and percentiles from its log", () => {
  const printed = "requests: 4 total, 4 started, 4 done, 3 succeeded, 1 failed, 0 errored, 0 timeout\n";
  const log =
    "1700000000000000\t200\t4000\n1700000000000100\t200\t1000\n1700000000000200\t503\t3000\n1700000000000300\t200\t2000\n";
  expect(parseH2load(printed, log, 2)).toEqual({
    requests: 4,
    failed: 1,
    perSecond: 2,
    latencyMs: { p50: 2, p99: 4, p999: 4 },
  });
});
