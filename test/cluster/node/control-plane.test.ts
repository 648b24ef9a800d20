/**
 * What happens to traffic while the control plane stops, changes or is away. This concerns the whole mesh, so these tests run
 * alone.
 */

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  apply,
  ask,
  type ContainerStatus,
  eventually,
  helm,
  type KubernetesObject,
  kubectl,
  namespace,
  type Pod,
  podOf,
  podSpec,
  processOf,
  readObject,
  rolledOut,
  sidecarOf,
  start,
  tulle,
} from "./cluster.ts";
import { Drill, drillClients, drillServer, drillService, ledger } from "./drill.ts";

const shop = "node-control-plane";
const system = "tulle-system";
/** Twice what it takes at this load. */
const memoryLimit = { "tulle.dev/proxy-memory-limit": "128Mi" };
const callersAtATime = 200;
/** Of its start. On a machine where Node alone takes more than an eighth of that, as long as Node takes to start eight times. */
const [listensWithinMs, nodeStarts] = [500, 8];
const chart = join(import.meta.dirname, "../../../charts/tulle");
const inMesh = (...args: readonly string[]) => helm("--namespace", system, ...args);
let drill: Drill;

beforeAll(async () => {
  const late = { namespace: shop, name: "late", program: "server" } as const;
  await apply([
    ...namespace(shop, true),
    ...ledger(shop),
    ...drillServer(shop, "server", { replicas: 2, annotations: memoryLimit }),
    drillService(shop, "server", { app: "server" }),
    // It has its sidecar, and no node yet.
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "late", namespace: shop } },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "late", namespace: shop },
      spec: { ...podSpec(late), schedulingGates: [{ name: "tulle.dev/later" }] },
    },
  ]);
  await rolledOut(shop, "ledger", "server");
  await apply(drillClients(shop, "server"));
  await rolledOut(shop, "server-client", "server-outsider");
  drill = await Drill.of(shop, "server");
});

afterAll(async () => {
  drill[Symbol.dispose]();
  await kubectl("delete", "namespace", shop, "--wait=false");
});

/** As the client's sidecar has them to trust. */
async function roots(): Promise<readonly string[]> {
  const { data } = await readObject<{ readonly data: Readonly<Record<string, string>> }>(
    "-n",
    shop,
    "configmap",
    "tulle-trust-bundle",
  );
  return Object.values(data).flatMap((pem) => pem.match(/-----BEGIN CERTIFICATE-----[^-]+/g) ?? []);
}

/** Which replica writes statuses: its pod's name, `_`, and what sets this process of it apart. */
async function leader(): Promise<string> {
  const holder = "jsonpath={.spec.holderIdentity}";
  return await kubectl("-n", system, "get", "lease", "tulle-status-writer", "-o", holder);
}

/** One thing happens after the other; the minute in which each is watched may be the next one's too. */
describe("while the client calls", () => {
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (act: () => Promise<unknown>): Promise<unknown> => {
    turn = turn.then(act);
    return turn;
  };

  it.concurrent("loses no request while the control plane is restarted", async ({ expect }) => {
    const restart = async () => {
      await kubectl("-n", system, "rollout", "restart", "deployment/tulle-control-plane");
      await rolledOut(system, "tulle-control-plane");
    };
    expect(await drill.failuresDuring(() => inTurn(restart))).toEqual({});
  });

  it.concurrent("loses none while the mesh's root is replaced, by tulle certs rotate-root", async ({ expect }) => {
    const rotate = async () => {
      const [before, said] = [await roots(), await tulle("certs", "rotate-root", "--wait")];
      const after = await roots();
      expect([before.length, after.length]).toEqual([1, 1]);
      expect(after).not.toEqual(before);
      expect(said).toContain("done: root ");
    };
    expect(await drill.failuresDuring(() => inTurn(rotate))).toEqual({});
  });

  it.concurrent("loses none during helm upgrade, to the values for production", async ({ expect }) => {
    const values = join(chart, "values-ha.yaml");
    const upgrade = () => inMesh("upgrade", "tulle", chart, "--values", values, "--wait", "--timeout", "90s");
    expect(await drill.failuresDuring(() => inTurn(upgrade))).toEqual({});
  });

  it.concurrent("loses none when the replica that writes statuses is killed, and the other one writes them", async ({
    expect,
  }) => {
    const kill = async () => {
      const budget = "jsonpath={.status.currentHealthy} {.status.desiredHealthy} {.status.disruptionsAllowed}";
      const allowed = () => kubectl("-n", system, "get", "poddisruptionbudget", "tulle-control-plane", "-o", budget);
      await eventually("a budget for one disruption", async () => ((await allowed()) === "2 1 1" ? true : undefined));
      const before = await eventually("a leader", async () => (await leader()) || undefined);
      const [name = ""] = before.split("_");
      const { status } = await readObject<Pod>("-n", system, "pod", name);
      // Not as Kubernetes ends a pod: it would give its office up.
      for (const container of status.containerStatuses ?? [])
        process.kill(Number(await processOf(container)), "SIGKILL");
      await eventually("another leader", async () => (["", before].includes(await leader()) ? undefined : true));
      await rolledOut(system, "tulle-control-plane");
    };
    expect(await drill.failuresDuring(() => inTurn(kill))).toEqual({});
  });

  it.concurrent("loses none during helm rollback", async ({ expect }) => {
    const rollback = async () => {
      await inMesh("rollback", "tulle", "--wait", "--timeout", "90s");
      const replicas = await kubectl("-n", system, "get", "deployment", "-o", "jsonpath={.items[*].spec.replicas}");
      expect(replicas).toBe("1");
    };
    expect(await drill.failuresDuring(() => inTurn(rollback))).toEqual({});
  });
});

describe("while the control plane is away", () => {
  beforeAll(async () => {
    await apply([repeatWhatWasCut]);
    // True already while nobody is connected who would be told: after the rollback, sidecars are on their way to a new replica.
    const reason = '{.status.conditions[?(@.type=="Programmed")].reason}';
    await kubectl("-n", shop, "wait", "retrypolicy/server", `--for=jsonpath=${reason}=Programmed`, "--timeout=30s");
    await kubectl("-n", system, "scale", "deployment/tulle-control-plane", "--replicas=0");
    await kubectl("-n", system, "wait", "pod", "--all", "--for=delete", "--timeout=60s");
  });
  afterAll(callBack);

  it("serves again when its sidecar was killed for its memory, from what that had kept", async () => {
    const { metadata, status } = await podOf(shop, "app=server");
    const read = () => readObject<Pod>("-n", shop, "pod", metadata.name);
    let outage: Outage = { fromMs: 0, toMs: undefined };
    const killAndWait = async () => {
      using callers = flood(status.podIP);
      outage = await outageOf(status.podIP, callers.broken);
      await eventually("a sidecar that was started again", async () =>
        sidecarOf(await read())?.restartCount === 1 ? true : undefined,
      );
    };
    expect(onlyCut(await drill.failuresDuring(killAndWait, 0))).toEqual({});
    const sidecar = await eventually("a ready sidecar", async () => {
      const found = sidecarOf(await read());
      return found?.ready === true ? found : undefined;
    });
    expect(sidecar.lastState.terminated?.reason).toBe("OOMKilled");
    const said = await kubectl("-n", shop, "logs", metadata.name, "-c", "tulle-sidecar");
    expect(said).toContain("certificate taken from before the restart");
    const startedAtMs = await processStartedAtMs(sidecar);
    const ours = outage.toMs === undefined ? upAfterMs(said) : outage.toMs - startedAtMs;
    const kubelets = startedAtMs - outage.fromMs;
    console.log(`until it listens again: ${kubelets} ms for kubelet to start it, ${ours} ms for itself`);
    expect(ours).toBeLessThanOrEqual(Math.max(listensWithinMs, nodeStarts * quickestNodeStartMs()));
    expect(await ask(shop, "server-client", `http://${status.podIP}:8080/`)).toBe("200 v1");
  });

  it("starts no application, and no pod is ready, before its sidecar is", async () => {
    using watched = watchStart("late");
    await kubectl("-n", shop, "patch", "pod", "late", "--type=merge", "-p", '{"spec": {"schedulingGates": null}}');
    await eventually("a sidecar that has asked in vain for a certificate", async () => {
      const said = await kubectl("-n", shop, "logs", "late", "-c", "tulle-sidecar");
      return said.split("certificate not issued").length > 3 ? true : undefined;
    });
    const waiting = watched.seen.length;
    await callBack();
    await kubectl("-n", shop, "wait", "pod/late", "--for=condition=Ready", "--timeout=60s");
    await eventually("that, as it is watched", async () =>
      watched.seen.some((seen) => seen.isReady) ? true : undefined,
    );
    expect(watched.seen.slice(0, waiting).some(({ sidecar }) => sidecar === "running")).toBe(true);
    const early = watched.seen.filter(
      (seen) => seen.sidecar !== "ready" && (seen.isReady || seen.application !== "waiting"),
    );
    expect(early).toEqual([]);
  });
});

async function callBack(): Promise<void> {
  await kubectl("-n", system, "scale", "deployment/tulle-control-plane", "--replicas=1");
  await rolledOut(system, "tulle-control-plane");
}

interface Start {
  readonly isReady: boolean;
  readonly sidecar: "waiting" | "running" | "ready";
  readonly application: "waiting" | "started";
}

/** All that the API server says of a pod, from now on. */
function watchStart(name: string): Disposable & { readonly seen: readonly Start[] } {
  const status = (list: string, container: string, what: string) =>
    `{.status.${list}[?(@.name=="${container}")].${what}}`;
  const shown = [
    '{.status.conditions[?(@.type=="Ready")].status}',
    status("initContainerStatuses", "tulle-sidecar", "ready"),
    status("initContainerStatuses", "tulle-sidecar", "state.running.startedAt"),
    status("containerStatuses", "server", "state.running.startedAt"),
  ].join(",");
  const watching = start("kubectl", ["-n", shop, "get", "pod", name, "--watch", "-o", `jsonpath=${shown}{"\\n"}`]);
  const seen: Start[] = [];
  createInterface({ input: watching.stdout }).on("line", (line) => {
    const [ready, sidecarReady, sidecarSince, applicationSince] = line.split(",");
    const running = sidecarSince === "" ? "waiting" : "running";
    seen.push({
      isReady: ready === "True",
      sidecar: sidecarReady === "true" ? "ready" : running,
      application: applicationSince === "" ? "waiting" : "started",
    });
  });
  return { seen, [Symbol.dispose]: () => watching.kill() };
}

/**
 * What a killed sidecar may do to its callers: cut what its application may have processed and a policy does not allow to
 * repeat. Callers without a sidecar meet it as they would meet a server that is gone.
 */
function onlyCut({ client = {} }: { readonly client?: object }): object {
  const found = Object.entries(client).filter(([outcome]) => !/^(POST 502 |message )/.test(outcome));
  return found.every(([outcome]) => outcome === "last") ? {} : Object.fromEntries(found);
}

/** In ms since 1970. */
interface Outage {
  readonly fromMs: number;
  /** Undefined: it was over before this process, which may have had no processor, got to look. */
  readonly toMs: number | undefined;
}

/** Kubelet needs longer to start it again than it takes to be refused once. */
const backForMs = 2_000;

/** From the moment in which it breaks down until the pod's mesh port takes connections again. */
async function outageOf(podIp: string, broken: Promise<number>): Promise<Outage> {
  const fromMs = await broken;
  const lookingSinceMs = performance.now();
  let wasRefused = false;
  for (;;) {
    const accepts = await isListening(podIp);
    if (accepts && wasRefused) return { fromMs, toMs: Date.now() };
    wasRefused ||= !accepts;
    if (!wasRefused && performance.now() - lookingSinceMs > backForMs) return { fromMs, toMs: undefined };
    await sleep(10);
  }
}

/** By the log of the sidecar itself: from the start of its process until it listened. */
function upAfterMs(log: string): number {
  const line = log.split("\n").find((text) => text.includes('"sidecar is up"')) ?? "{}";
  return Number((JSON.parse(line) as { readonly afterMs?: number }).afterMs);
}

async function isListening(host: string): Promise<boolean> {
  const socket = net.connect({ host, port: 15_008 });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Of three, without a program. */
function quickestNodeStartMs(): number {
  const starts = Array.from({ length: 3 }, () => {
    const startMs = performance.now();
    spawnSync(process.execPath, ["-e", "0"]);
    return performance.now() - startMs;
  });
  return Math.min(...starts);
}

/** In ms since 1970, to a hundredth of a second; kubelet says it to the second only. */
async function processStartedAtMs(container: ContainerStatus): Promise<number> {
  // proc_pid_stat(5): the 22nd field, in hundredths of a second since boot; the second one may hold spaces.
  const [, fields = ""] = readFileSync(`/proc/${await processOf(container)}/stat`, "utf8").split(") ");
  const sinceBoot = Number(fields.split(" ")[19]) / 100;
  const [upSeconds] = readFileSync("/proc/uptime", "utf8").split(" ");
  return Date.now() - Math.round((Number(upSeconds) - sinceBoot) * 1_000);
}

/** What was under way with the sidecar that is killed: only a policy allows to ask that again. */
const repeatWhatWasCut: KubernetesObject = {
  apiVersion: "tulle.dev/v1alpha1",
  kind: "RetryPolicy",
  metadata: { name: "server", namespace: shop },
  spec: {
    targetRefs: [{ kind: "Service", name: "server" }],
    retryOn: ["connect-failure", "connect-timeout", "refused-stream", "reset", "503"],
  },
};

interface Flood extends Disposable {
  /** When, in ms since 1970. */
  readonly broken: Promise<number>;
}

/** Callers that begin a request and never end it, more and more of them, until what they reach breaks down. */
function flood(podIp: string): Flood {
  const begun = `GET / HTTP/1.1\r\nx-filler: ${"x".repeat(28_000)}`;
  const sockets: net.Socket[] = [];
  const { promise: broken, resolve } = Promise.withResolvers<number>();
  const stop = () => {
    clearInterval(growing);
    resolve(Date.now());
    for (const socket of sockets.splice(0)) socket.destroy();
  };
  const growing = setInterval(() => {
    for (let i = 0; i < callersAtATime; i++) {
      const socket = net.connect({ host: podIp, port: 8_080 }, () => socket.write(begun));
      sockets.push(socket.on("error", stop));
    }
  }, 100);
  return { broken, [Symbol.dispose]: stop };
}
