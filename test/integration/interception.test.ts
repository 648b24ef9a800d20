/** Connections that iptables redirects, in a network namespace that needs no root: see `interception/namespace.ts`. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";

const script = join(import.meta.dirname, "interception/namespace.ts");
const web = "spiffe://cluster.local/ns/shop/sa/web";
let seen: Record<string, unknown> = {};

beforeAll(async () => {
  const inNamespace = ["--map-root-user", "--net", process.execPath, script];
  try {
    const { stdout } = await promisify(execFile)("unshare", inNamespace, { timeout: 60_000 });
    seen = JSON.parse(stdout) as Record<string, unknown>;
  } catch (error) {
    throw new Error(
      "the namespace's script failed; it needs what `apt-get install util-linux iproute2 iptables` brings",
      { cause: error },
    );
  }
}, 65_000);

it("routes a connection to a Service's address to its pods, whatever Host it names", () => {
  expect(seen["service"]).toBe(`orders/a for ${web} as 10.96.0.5, 1`);
  expect(seen["serviceUnderAnotherName"]).toBe(`orders/c for ${web} as example.com, 1`);
});

it("does so over IPv6", () => {
  expect(seen["serviceOverIpv6"]).toBe(`orders/b for ${web} as [fd00:96::5], 1`);
});

it("does so under the Service's policies", () => {
  expect(seen["serviceThatFailsOnce"]).toBe(`orders/once for ${web} as 10.96.0.5, 2`);
});

it("routes a connection to a pod's address to that pod with its identity, and without routes", () => {
  expect(seen["podItself"]).toBe(`orders/d for ${web} as 127.1.0.7:8080, 1`);
  expect(seen["podThatFailsOnce"]).toBe(`orders/once-direct for ${web} as 127.1.0.7:8080, 1`);
});

it("routes by Host instead if the workload asks for it and the Host is in the mesh", () => {
  expect(seen["routedByHost"]).toEqual([
    `orders/once-more for ${web} as orders.shop, 2`,
    `orders/g for ${web} as example.com, 1`,
    `orders/h for ${web} as orders.shop.svc.cluster.local:80, 1`,
    "outside, undefined",
  ]);
});

it("forwards what is outside the mesh, without the mesh's own fields", () => {
  expect(seen["outside"]).toBe("outside, undefined");
  expect(seen["outsideOverIpv6"]).toBe("outside, undefined");
  expect(seen["nobody"]).toMatch(/^No connection to the endpoint could be made/);
});

it("lets a server speak first", () => {
  expect(seen["serverFirst"]).toBe("220 ready");
});

it("stays a forward proxy for clients that dial the listener itself", () => {
  expect(seen["forwardProxy"]).toBe(`orders/ for ${web} as 10.96.0.5, 1`);
});

it("refuses a loop through the sidecar's own ports", () => {
  expect(seen["ownPortOut"]).toBe("ECONNRESET");
  expect(seen["ownPortIn"]).toBe("ECONNRESET");
  const told = seen["ownPortByAnyName"] as string[];
  expect(told.length).toBeGreaterThan(15);
  expect(told.filter((body) => !body.startsWith("The destination is this sidecar itself."))).toEqual([]);
});

it("forwards plaintext to the dialled port, declared or not, without an identity", () => {
  expect(seen["plainIn"]).toBe("web:8080, undefined");
  expect(seen["plainInUndeclared"]).toBe("web:8999, undefined");
  expect(seen["plainInNobody"]).toMatch(/^The peer refused the request/);
});

it("applies the current policies of the dialled port to plaintext", () => {
  const refused = "An access policy does not admit this caller.";
  expect(seen["plainUnderPolicies"]).toEqual({
    connections: 2, // the reset took the first
    seen: [
      "web:8080, undefined",
      "ECONNRESET",
      "web:8999, undefined",
      "web:8080, undefined",
      `${refused} It has no identity.`,
      `${refused} It has no identity.`,
      `${refused} It has no identity.`,
    ],
  });
});

it("gives plaintext no byte if mTLS is strict: a new connection is reset, and a kept one at its next request", () => {
  const nothing = { bytes: "", ended: "reset" };
  expect(seen["plainWhereStrict"]).toEqual({ fresh: nothing, silent: nothing, kept: nothing, counted: 3 });
});

it("sends plaintext callers away when the pod is about to end, each connection after its response", () => {
  expect(seen["plainWhereLeaving"]).toEqual({ seen: ["web:8080, undefined"], connections: 10 });
});

it("forwards what another machine sends to the pod, and opens none of its own ports to it", () => {
  const [declared, undeclared, plainPort, wayOut] = seen["otherMachine"] as string[];
  expect([declared, undeclared]).toEqual(["web:8080, undefined", "web:8999, undefined"]);
  expect([plainPort, wayOut]).toEqual(["ECONNRESET", "ECONNREFUSED"]);
});

it("opens the outbound port to nobody else", () => {
  expect(seen["outboundFromElsewhere"]).toBe("ECONNREFUSED");
});

it("reads the destination of an IPv4 connection on a listener for both families", () => {
  expect(seen["dualStack"]).toEqual({ host: "10.96.0.5", port: 4_321 });
});

it("says what is missing if no redirect is set", () => {
  expect(seen["withoutRules"]).toBe(
    "redirected connections can't be read: no redirect is set in this network namespace (iptables -t nat)",
  );
});
