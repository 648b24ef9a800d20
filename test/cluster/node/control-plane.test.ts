/** What becomes of traffic while the control plane ends, changes or is away. It concerns the whole mesh, so these run alone. */

import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  apply,
  ask,
  deployment,
  eventually,
  type KubernetesObject,
  kubectl,
  namespace,
  type Pod,
  podOf,
  readObject,
  rolledOut,
  service,
  sidecarOf,
  tulle,
} from "./cluster.ts";
import { drillClient, FollowedClient } from "./drill.ts";
import { install } from "./setup.ts";

const shop = "node-control-plane";
const system = "tulle-system";
/** Twice what it takes at this load. */
const memoryLimit = { "tulle.dev/proxy-memory-limit": "128Mi" };
const callersAtATime = 200;
let client: FollowedClient;

beforeAll(async () => {
  await apply([
    ...namespace(shop, true),
    ...deployment({ namespace: shop, name: "server", program: "server", replicas: 2, annotations: memoryLimit }),
    service(shop, "server", { app: "server" }),
  ]);
  await rolledOut(shop, "server");
  await apply(drillClient(shop, "client", "http://server/"));
  await rolledOut(shop, "client");
  client = new FollowedClient(shop, "deployment/client");
  await client.until("answers", ({ sent }) => sent > 0);
});

afterAll(async () => {
  client[Symbol.dispose]();
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
    expect(await client.failuresDuring(() => inTurn(restart))).toEqual({});
  });

  it.concurrent("loses none during helm upgrade", async ({ expect }) => {
    const upgrade = () => install("--set", "controlPlane.podAnnotations.upgraded=yes");
    expect(await client.failuresDuring(() => inTurn(upgrade))).toEqual({});
  });

  it.concurrent("loses none while the mesh's root is replaced, by tulle certs rotate-root", async ({ expect }) => {
    const rotate = async () => {
      const [before, said] = [await roots(), await tulle("certs", "rotate-root", "--wait")];
      const after = await roots();
      expect([before.length, after.length]).toEqual([1, 1]);
      expect(after).not.toEqual(before);
      expect(said).toContain("done: root ");
    };
    expect(await client.failuresDuring(() => inTurn(rotate))).toEqual({});
  });
});

it("serves again when its sidecar was killed for its memory, from what that had kept, while the control plane is away", async () => {
  await apply([repeatWhatWasCut]);
  await kubectl("-n", shop, "wait", "retrypolicy/server", "--for=condition=Programmed", "--timeout=30s");
  await kubectl("-n", system, "scale", "deployment/tulle-control-plane", "--replicas=0");
  try {
    await kubectl("-n", system, "wait", "pod", "--all", "--for=delete", "--timeout=60s");
    const { metadata, status } = await podOf(shop, "app=server");
    const killAndWait = async () => {
      using _flood = flood(status.podIP);
      await eventually("a sidecar that was started again", async () => {
        const sidecar = sidecarOf(await readObject<Pod>("-n", shop, "pod", metadata.name));
        return sidecar?.restartCount === 1 ? sidecar : undefined;
      });
    };
    expect(await client.failuresDuring(killAndWait, 0)).toEqual({});
    const sidecar = await eventually("a ready sidecar", async () => {
      const found = sidecarOf(await readObject<Pod>("-n", shop, "pod", metadata.name));
      return found?.ready === true ? found : undefined;
    });
    expect(sidecar.lastState.terminated?.reason).toBe("OOMKilled");
    const said = await kubectl("-n", shop, "logs", metadata.name, "-c", "tulle-sidecar");
    expect(said).toContain("certificate taken from before the restart");
    const [, afterMs] = /"sidecar is up".*"afterMs":(\d+)/.exec(said) ?? [];
    expect(Number(afterMs)).toBeLessThanOrEqual(500);
    expect(await ask(shop, "client", `http://${status.podIP}:8080/`)).toBe("200 v1");
  } finally {
    await kubectl("-n", system, "scale", "deployment/tulle-control-plane", "--replicas=1");
    await rolledOut(system, "tulle-control-plane");
  }
});

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

/** Callers that begin a request and never end it, more and more of them, until what they reach breaks down. */
function flood(podIp: string): Disposable {
  const begun = `GET / HTTP/1.1\r\nx-filler: ${"x".repeat(28_000)}`;
  const sockets: net.Socket[] = [];
  const stop = () => {
    clearInterval(growing);
    for (const socket of sockets.splice(0)) socket.destroy();
  };
  const growing = setInterval(() => {
    for (let i = 0; i < callersAtATime; i++) {
      const socket = net.connect({ host: podIp, port: 8_080 }, () => socket.write(begun));
      sockets.push(socket.on("error", stop));
    }
  }, 100);
  return { [Symbol.dispose]: stop };
}
