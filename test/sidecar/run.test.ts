import { expect, it } from "vitest";
import { type RunOptions, runSidecar } from "../../sidecar/run.ts";
import type { Sources } from "../../sidecar/sources.ts";
import { defaultSampler } from "../../sidecar/telemetry/sampling.ts";
import { HandIdentity, TestAuthority, trustDomain, workloadId } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { nextPodIp } from "../support/sidecar-pair.ts";

const config: RunOptions["config"] = {
  namespace: "shop",
  workload: "web",
  pod: "web-1",
  podIp: nextPodIp(),
  place: {},
  trustDomain,
  upstreams: [],
  outboundMtls: "preferred",
  routeBy: "address",
  outside: "allow",
  probes: new Map(),
  logLevel: "info",
  recentTraces: false,
  drainGraceMs: 10_000,
  interception: "off",
};

it("sends callers away as soon as it is up where its pod was to end before that", async () => {
  await using authority = await TestAuthority.open();
  const id = workloadId("web");
  const sources: Sources = {
    identity: new HandIdentity(id, authority.credentials(id)),
    follow: () => () => {},
    connected: () => false,
    inForce: () => [],
    report: () => {},
    flush: () => Promise.resolve(),
  };
  const [leave, stop, log] = [new AbortController(), new AbortController(), new RecordedLog()];
  const running = runSidecar({
    config,
    sampler: defaultSampler,
    accessLog: { requests: "none", ratio: 1 },
    otlp: undefined,
    log: log.write,
    logThreshold: { level: "info" },
    leave: leave.signal,
    stop: stop.signal,
    openSources: async () => {
      leave.abort();
      return sources;
    },
  });
  await eventually(() => log.messages.includes("callers are sent elsewhere"));
  stop.abort();
  await running;
  expect(log.messages).toEqual(["sidecar is up", "callers are sent elsewhere", "draining"]);
});
