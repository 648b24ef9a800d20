/**
 * A control plane's duties in a cluster besides serving sidecars: every replica answers the API server's webhooks, and one
 * replica for all writes what became of policies and routes.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Registry } from "prom-client";
import type { Clock } from "../model/clock.ts";
import type { Log } from "../system/log.ts";
import { type CaBundleKeeper, keepCaBundles } from "./admission/ca-bundle.ts";
import { type AdmissionHandler, type AdmissionServer, openAdmissionServer } from "./admission/server.ts";
import { issueServingCertificate, webhookNames } from "./admission/serving-certificate.ts";
import { ClusterMetrics } from "./cluster-metrics.ts";
import type { CertificateAuthority } from "./identity/authority.ts";
import { renewInTime } from "./identity/renewal.ts";
import { meshNamespace } from "./index/facts.ts";
import type { PodWithoutSidecar } from "./injection/pods-without-sidecar.ts";
import type { ApiRequest, ClusterApi } from "./kubernetes/cluster-api.ts";
import { Leadership } from "./status/leadership.ts";
import { ApiLeaseStore, leaseName } from "./status/lease-store.ts";
import type { ReturningSidecars } from "./status/returning-sidecars.ts";
import { SidecarEvents } from "./status/sidecar-events.ts";
import type { StatusTarget } from "./status/status-target.ts";
import { StatusWriter } from "./status/status-writer.ts";

export interface ClusterOptions {
  readonly api: ClusterApi;
  readonly authority: CertificateAuthority;
  /** Identifies this process among all replicas. */
  readonly replica: string;
  /** Every status that should be in the API server now, also while sidecars are `returning`. */
  readonly targets: (returning: boolean) => readonly StatusTarget[];
  readonly returning: ReturningSidecars;
  readonly podsWithoutSidecar: () => readonly PodWithoutSidecar[];
  /** The handlers of `/validate` and `/inject`. */
  readonly validate: AdmissionHandler;
  readonly inject: AdmissionHandler;
  readonly host: string;
  readonly webhookPort: number;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly log: Log;
}

export interface ClusterDuties {
  readonly webhookPort: number;
  /** Whether this replica does what one replica does for all. Check it before each write. */
  readonly leads: boolean;
  /** Webhook configurations that do not contain the mesh's current roots. */
  readonly unwritten: readonly string[];
  /** To be called when something changes that a status may depend on. */
  markChanged(): void;
  /** Lets another replica take over the writing at once. Never rejects. */
  stopWriting(): Promise<void>;
  close(): Promise<void>;
}

const service = "tulle-control-plane";

/** Rejects with a one-line error if the webhooks' port can't be opened. */
export async function serveCluster(options: ClusterOptions): Promise<ClusterDuties> {
  const { api, replica, targets, returning, podsWithoutSidecar, clock, log } = options;
  const stopping = new AbortController();
  const [wallClock, random] = [Date.now, Math.random];
  const store = new ApiLeaseStore(api, meshNamespace, leaseName, wallClock);
  const onChange = (): void => {
    returning.expect();
    writer.markChanged();
  };
  const leadership = new Leadership({ identity: replica, store, clock, random, log, onChange });
  const leads = (): boolean => leadership.leads;
  const countPodsWithoutSidecar = (): number => podsWithoutSidecar().length;
  const metrics = new ClusterMetrics(options.registry, { leads, countPodsWithoutSidecar });
  const count = metrics.countStatus;
  const writing = new AbortController();
  const request = (asked: ApiRequest) => api.request({ ...asked, signal: writing.signal });
  const writer = new StatusWriter({
    api: { request },
    targets,
    returning: () => returning.areExpected(),
    leads,
    instance: replica,
    clock,
    wallClock,
    random,
    log,
    count,
  });
  const events = new SidecarEvents({
    api: { request },
    pods: podsWithoutSidecar,
    leads,
    instance: replica,
    wallClock,
    log,
  });
  const webhooks = await serveWebhooks(options, metrics, stopping.signal);
  const written = Promise.all([
    runLeadership(leadership, writing.signal),
    writer.run(writing.signal),
    events.run(writing.signal),
  ]);
  const stopWriting = async (): Promise<void> => {
    writing.abort();
    await written;
  };
  return {
    webhookPort: webhooks.server.port,
    get leads() {
      return leads();
    },
    get unwritten() {
      return webhooks.caBundles.unwritten;
    },
    markChanged: () => writer.markChanged(),
    stopWriting,
    async close() {
      stopping.abort();
      await stopWriting();
      await webhooks.server.close();
    },
  };
}

async function serveWebhooks(
  { api, authority, validate, inject, host, webhookPort, log }: ClusterOptions,
  metrics: ClusterMetrics,
  signal: AbortSignal,
): Promise<{ readonly server: AdmissionServer; readonly caBundles: CaBundleKeeper }> {
  const names = webhookNames(service, meshNamespace);
  const issue = () => issueServingCertificate(authority, names);
  const first = issue();
  const handlers = new Map([
    ["/validate", validate],
    ["/inject", inject],
  ]);
  const onAnswer = metrics.countAdmission;
  const server = await openAdmissionServer({ host, port: webhookPort, certificate: first, handlers, log, onAnswer });
  renewInTime(issue, Date.now, first, signal, (next) => server.rotate(next));
  const caBundles = keepCaBundles({ api, bundle: () => authority.trustBundlePem, random: Math.random, log, signal });
  authority.onReplaced(() => {
    server.rotate(issue());
    caBundles.putRight();
  }, signal);
  return { server, caBundles };
}

/** Runs until `signal`, and then releases the lease. Never rejects. */
async function runLeadership(leadership: Leadership, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await leadership.step();
    await sleep(leadership.pauseMs, undefined, { signal }).catch(() => {});
  }
  await leadership.release();
}
