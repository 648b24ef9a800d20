import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { answering, askThrough, DevMesh, webService } from "../../support/dev-mesh.ts";
import { TinyFolder } from "../../support/tiny-mesh/tiny-mesh.ts";

/** The first that is quick will do: none would be, were there anything on the way that waits for longer. */
const maxRounds = 80;

function faultOf(status: number): string {
  const spec = `{until: "2099-01-01T00:00:00Z", abort: {status: ${status}, percent: 100}}`;
  return `{apiVersion: tulle.dev/v1alpha1, kind: FaultInjection, metadata: {name: teapots}, spec: ${spec}}`;
}

describe("tulle dev", { timeout: 60_000 }, () => {
  it("carries requests over mutual TLS, and leaves nothing behind on Ctrl-C", async () => {
    using folder = new TinyFolder().deploy("web", answering).write("service.yaml", webService);
    await using dev = new DevMesh(folder);
    const { podIP } = await dev.next("ready");
    // The list of addresses comes when every sidecar knows all pods.
    await dev.next("progress", ({ text }) => text.includes(podIP));
    expect(await askThrough(podIP)).toBe("200 spiffe://cluster.local/ns/default/sa/default");
    dev.child.kill("SIGINT");
    expect(await dev.exited).toEqual([0, null]);
    expect(readdirSync(folder.runtime)).toEqual([]);
    await expect(askThrough(podIP)).rejects.toThrow("ECONNREFUSED");
  });

  it("applies a change of a file to requests within 50 ms, apart from other load on the machine", async () => {
    using folder = new TinyFolder().deploy("web", answering).write("service.yaml", webService);
    await using dev = new DevMesh(folder);
    const { podIP } = await dev.next("ready");
    await dev.next("progress", ({ text }) => text.includes(podIP));
    let quickestMs = Number.POSITIVE_INFINITY;
    for (let round = 0; round < maxRounds && quickestMs >= 50; round++) {
      const status = 410 + round;
      const startMs = performance.now();
      folder.write("fault.yaml", faultOf(status));
      while (!(await askThrough(podIP)).startsWith(`${status}`))
        expect(performance.now() - startMs).toBeLessThan(5_000);
      quickestMs = Math.min(quickestMs, performance.now() - startMs);
      // It stays so; and the next change is no part of a storm of them.
      for (let nth = 0; nth < 50; nth++) expect(await askThrough(podIP)).toMatch(`${status}`);
    }
    // That all come in time (20 ms in the middle) takes a machine without neighbours.
    expect(quickestMs).toBeLessThan(50);
  });

  it("leaves nothing behind when it is stopped while it starts", async () => {
    using folder = new TinyFolder().deploy("web", answering);
    await using dev = new DevMesh(folder);
    await dev.next("progress");
    dev.child.kill("SIGTERM");
    expect(await dev.exited).toEqual([0, null]);
    expect(readdirSync(folder.runtime)).toEqual([]);
  });
});
