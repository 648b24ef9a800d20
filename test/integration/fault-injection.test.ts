import { expect, it } from "vitest";
import { defaultRetryPolicy } from "../../model/defaults.ts";
import type { FaultPolicy } from "../../model/policy.ts";
import { askThrough, meshed, TestMesh } from "../support/sidecar-pair.ts";

const hourMs = 3_600_000;

function abort(percent: number, untilUnixMs = Date.now() + hourMs): FaultPolicy {
  return { untilUnixMs, matches: [], abort: { kind: "http", status: 503, percent } };
}

async function openShop(mesh: TestMesh) {
  const [web, orders] = [await mesh.sidecar("web"), await mesh.sidecar("orders")];
  const seen: string[] = [];
  await mesh.application(orders.podIp, (request, response) => {
    seen.push(String(request.url));
    response.end("fine");
  });
  const set = (more: Parameters<TestMesh["service"]>[2]) =>
    mesh.service("orders", [meshed(orders.podIp, "orders")], more);
  const ask = async (path = "/") => {
    const { status, headers } = await askThrough(web.podIp, `http://orders${path}`);
    return `${status} ${String(headers["tulle-error"] ?? "")}`;
  };
  return { set, ask, seen };
}

it("fails the configured share until its end time", async () => {
  await using mesh = await TestMesh.open();
  const { set, ask, seen } = await openShop(mesh);
  set({ fault: { ...abort(100), matches: [{ path: { kind: "prefix", value: "/bad" } }] } });
  expect([await ask("/bad"), await ask("/good")]).toEqual(["503 fault_injected", "200 "]);
  set({ fault: abort(100, Date.now() - 1) });
  expect(await ask("/bad")).toBe("200 ");
  expect(seen).toEqual(["/good", "/bad"]);
});

it("is hidden by retries, try by try", async () => {
  await using mesh = await TestMesh.open();
  const { set, ask } = await openShop(mesh);
  set({ fault: abort(50), retry: { ...defaultRetryPolicy, initialDelayMs: 1, maxAttempts: 50 } });
  for (let i = 0; i < 10; i++) expect(await ask()).toBe("200 ");
});

it("delays a try no longer than its timeout allows", async () => {
  await using mesh = await TestMesh.open();
  const { set, ask, seen } = await openShop(mesh);
  const delay = { delayMs: hourMs, percent: 100 };
  set({
    fault: { untilUnixMs: Date.now() + hourMs, matches: [], delay },
    timeout: { connectMs: 1_000, perTryMs: 50 },
  });
  expect(await ask()).toBe("504 try_timeout");
  set({ fault: { untilUnixMs: Date.now() + hourMs, matches: [], delay: { ...delay, delayMs: 60 } } });
  const askedAtMs = performance.now();
  expect(await ask()).toBe("200 ");
  expect(performance.now() - askedAtMs).toBeGreaterThanOrEqual(60);
  expect(seen.length).toBe(1);
});
