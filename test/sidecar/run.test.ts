import { expect, it } from "vitest";
import { readConfig } from "../../sidecar/config.ts";
import { runSidecar } from "../../sidecar/run.ts";
import type { Sources } from "../../sidecar/sources.ts";
import { defaultSampler } from "../../sidecar/telemetry/sampling.ts";
import { HandIdentity, TestAuthority, trustDomain, workloadId } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { nextPodIp } from "../support/sidecar-pair.ts";

/** All that must be set; everything else has its default. */
const environment = {
  POD_IP: nextPodIp(),
  TULLE_NAMESPACE: "shop",
  TULLE_WORKLOAD: "web",
  TULLE_POD: "web-1",
  TULLE_SERVICE_ACCOUNT: "web",
  TULLE_TOKEN_FILE: "/none",
  TULLE_TRUST_BUNDLE: "/none",
  TULLE_STATE_DIR: "/none",
  TULLE_CONTROL_PLANE: "none",
  TULLE_TRUST_DOMAIN: trustDomain,
};

it("sends callers away as soon as it is up if its pod began to end before that", async () => {
  await using authority = await TestAuthority.open();
  const config = readConfig(environment);
  if (!config.ok) throw new Error(JSON.stringify(config.error));
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
    config: config.value,
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
