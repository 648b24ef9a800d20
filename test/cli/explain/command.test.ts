import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { explainCommand } from "../../../cli/explain/command.ts";
import type { Explanation } from "../../../cli/explain/explanation.ts";
import { UsageError } from "../../../cli/usage-error.ts";
import { deploymentYaml, serviceYaml } from "../../support/manifests.ts";

const policies = `
apiVersion: tulle.dev/v1alpha1
kind: TrafficSplit
metadata: { namespace: shop, name: catalog }
spec:
  service: catalog
  match:
    - headers: [{ name: x-canary, value: "1" }]
      backends: [{ service: catalog-v2, weight: 1 }]
  backends: [{ service: catalog-v1, weight: 3 }, { service: catalog-v2, weight: 1 }]
---
apiVersion: tulle.dev/v1alpha1
kind: RetryPolicy
metadata: { namespace: shop, name: catalog }
spec: { targetRefs: [{ kind: Service, name: catalog }], maxAttempts: 4, jitter: 0 }
---
apiVersion: tulle.dev/v1alpha1
kind: TimeoutPolicy
metadata: { namespace: shop, name: default }
spec: { request: 2s }
---
apiVersion: tulle.dev/v1alpha1
kind: AccessPolicy
metadata: { namespace: shop, name: catalog }
spec:
  targetRefs: [{ kind: Service, name: catalog-v1 }]
  mtls: strict
  rules: [{ from: [{ identity: "spiffe://cluster.local/ns/shop/sa/web" }], methods: [GET] }]
---
apiVersion: tulle.dev/v1alpha1
kind: TelemetryPolicy
metadata: { namespace: shop, name: web }
spec: { targetRefs: [{ kind: Service, name: web }], samplingRatio: 0.25, accessLog: { requests: errors } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { namespace: shop, name: web }
spec:
  parentRefs: [{ group: "", kind: Service, name: web }]
  rules:
    - name: admin
      matches: [{ path: { type: PathPrefix, value: /admin } }]
      filters: [{ type: RequestRedirect, requestRedirect: { statusCode: 301, hostname: intranet } }]
`;

const keys = `
apiVersion: tulle.dev/v1alpha1
kind: IdempotencyPolicy
metadata: { namespace: shop, name: catalog }
spec: { targetRefs: [{ kind: Service, name: catalog-v1 }, { kind: Service, name: catalog-v2 }] }
`;

const drill = `
apiVersion: tulle.dev/v1alpha1
kind: FaultInjection
metadata: { namespace: shop, name: drill }
spec:
  targetRefs: [{ kind: Service, name: catalog }]
  until: "2127-01-31T18:00:00Z"
  match: [{ path: { value: /items } }]
  delay: { duration: 2s, percent: 10 }
  abort: { status: 503, percent: 1 }
`;

let folder: string;
let stdout: string;
let stderr: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-explain-"));
  const services = ["catalog", "catalog-v1", "catalog-v2", "web"].map((name) => serviceYaml(name)).join("");
  const workloads = ["catalog-v1", "catalog-v2", "web", "load"].map((name) => deploymentYaml(name)).join("");
  writeFileSync(join(folder, "shop.yaml"), services + workloads);
  writeFileSync(join(folder, "policies.yaml"), policies);
  stdout = "";
  stderr = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function run(...args: string[]): Promise<string> {
  const command = new Command("tulle").addCommand(explainCommand());
  await command.parseAsync(["explain", "-f", folder, ...args], { from: "user" });
  return stdout;
}

async function explained(...args: string[]): Promise<Explanation> {
  return JSON.parse(await run(...args, "-o", "json")) as Explanation;
}

it("shows route, policies, backends and the server's verdict, in the order in which a request meets them", async () => {
  expect(await run("GET", "http://catalog/items?id=1", "--from", "shop/web")).toBe(
    `GET /items?id=1 from shop/web

destination  catalog.shop.svc.cluster.local:80 (detect)
route        ✗ TrafficSplit shop/catalog match 0: header x-canary is absent, it asks for header x-canary = 1
             ✓ TrafficSplit shop/catalog: any request
timeout      request 2s, idle 5m, connect 1s, by TimeoutPolicy shop/default
retry        4 tries, by RetryPolicy shop/catalog
             again: connect-failure after 100ms, connect-timeout after 100ms, refused-stream after 100ms, 429 after 100ms, 503 after 100ms
             not again (not_retryable): reset, timeout, 500, 502, 504
backend      shop/catalog-v1 75 %, 2 ready
             shop/catalog-v1:8080 admits it
backend      shop/catalog-v2 25 %, 2 ready
             shop/catalog-v2:8080 admits it
`,
  );
});

it("shows what the caller's sidecar records, and which policy decided that", async () => {
  expect(await run("GET", "http://web/admin", "--from", "shop/load")).toContain(
    "\nrecorded     25 % of traces, a line of 100 % of failed requests, by TelemetryPolicy shop/web\n",
  );
});

it("names a match that applies but comes too late", async () => {
  const { matches, backends } = await explained("GET", "http://catalog/", "--from", "shop/web", "-H", "X-Canary: 1");
  expect(matches.map(({ route, verdict }) => [route, verdict])).toEqual([
    ["TrafficSplit shop/catalog match 0", "taken"],
    ["TrafficSplit shop/catalog", "later"],
  ]);
  expect(backends.map(({ service, percent }) => [service, percent])).toEqual([["shop/catalog-v2", 100]]);
});

it("does not promise a retry of a POST that may have been processed", async () => {
  const { tries } = await explained("POST", "http://catalog/", "--from", "shop/web");
  expect(tries.find(({ outcome }) => outcome === "503")?.verdict).toEqual({ retry: false, because: "not_idempotent" });
  expect(tries.find(({ outcome }) => outcome === "connect-failure")?.verdict).toMatchObject({ retry: true });
});

it("promises one if the request has a key that its target knows, and says where all requests with that key go", async () => {
  writeFileSync(join(folder, "keys.yaml"), keys);
  const post = ["POST", "http://catalog/", "--from", "shop/web", "-H"];
  const { tries, backends } = await explained(...post, "Idempotency-Key: order-7");
  expect(tries.find(({ outcome }) => outcome === "503")?.verdict).toMatchObject({ retry: true, reason: "503" });
  expect(backends.filter(({ percent }) => percent > 0)).toMatchObject([{ percent: 100, stickyTo: "order-7" }]);
  stdout = "";
  const other = await explained(...post, "Idempotency-Key:");
  expect(other.tries.find(({ outcome }) => outcome === "503")?.verdict).toMatchObject({ because: "not_idempotent" });
});

it("shows the statuses after which a gRPC request is retried", async () => {
  const policy = "spec: { targetRefs: [{ kind: Service, name: catalog }], retryOn: [unavailable, connect-timeout] }";
  const file = policies.replace(
    "spec: { targetRefs: [{ kind: Service, name: catalog }], maxAttempts: 4, jitter: 0 }",
    policy,
  );
  writeFileSync(join(folder, "policies.yaml"), file);
  const asked = ["POST", "http://catalog/shop.Catalog/Get", "--from", "shop/web"];
  const grpc = await explained(...asked, "-H", "content-type: application/grpc");
  expect(grpc.tries.filter(({ verdict }) => verdict.retry).map(({ outcome }) => outcome)).toEqual([
    "connect-failure",
    "connect-timeout",
    "refused-stream",
    "reset",
    "unavailable",
  ]);
  stdout = "";
  const { tries } = await explained(...asked);
  expect(tries.map(({ outcome }) => outcome)).not.toContain("unavailable");
});

it("shows how a request to switch protocols is treated", async () => {
  const fields = ["-H", "Connection: keep-alive, Upgrade", "-H", "Upgrade: h2c, WebSocket"];
  const asked = ["GET", "http://catalog/", "--from", "shop/web"];
  const { upgrade, tries } = await explained(...asked, ...fields);
  expect(upgrade).toBe("websocket");
  expect(tries.find(({ outcome }) => outcome === "503")?.verdict).toEqual({ retry: false, because: "not_idempotent" });
  stdout = "";
  expect(await run(...asked, ...fields)).toContain(
    "\nupgrade      websocket: once it is answered with 101, only the idle timeout holds\n",
  );
  stdout = "";
  // Without `Connection` the field means nothing.
  expect((await explained(...asked, "-H", "upgrade: websocket")).upgrade).toBeUndefined();
});

it("shows which faults are injected, for what share of which requests, and until when", async () => {
  writeFileSync(join(folder, "drill.yaml"), drill);
  expect(await run("GET", "http://catalog/items/1", "--from", "shop/web")).toContain(
    "\nfault        10 % wait 2s, 1 % get 503 fault_injected, until 2127-01-31T18:00:00.000Z, by FaultInjection shop/drill\n",
  );
  stdout = "";
  expect(await run("GET", "http://catalog/", "--from", "shop/web")).toContain(
    "\nfault        none for such a request, by FaultInjection shop/drill\n",
  );
});

it.each([
  [["POST", "-H", "Idempotency-Key: order-7"], "processes it once for its key within 24h, by"],
  [["POST", "-H", "Idempotency-Key:"], "answers 400 idempotency_key_invalid, by"],
  [["POST"], "answers 400 idempotency_key_missing, by"],
  [["GET"], "not held to"],
])("shows what an IdempotencyPolicy does with %j", async ([method = "", ...more], says) => {
  writeFileSync(join(folder, "keys.yaml"), keys.replace("name: catalog-v2 }]", "name: catalog-v2 }], required: true"));
  expect(await run(method, "http://catalog-v2/", "--from", "shop/web", ...more)).toContain(
    `shop/catalog-v2:8080 admits it, ${says} IdempotencyPolicy shop/catalog\n`,
  );
});

it.each([
  ["shop/web", "POST", "forbidden"],
  ["shop/load", "GET", "forbidden"],
  ["shop", "GET", "plaintext"],
  ["shop/web", "GET", "admitted"],
])("shows %s whether its %s is admitted", async (from, method, access) => {
  const { backends } = await explained(method, "http://catalog.shop/", "--from", from);
  expect(backends[0]?.server).toEqual([{ workload: "shop/catalog-v1", port: 8080, access, rateLimits: [] }]);
});

it("shows what a filter does, and that nothing follows if no route matches", async () => {
  expect(await run("GET", "http://web/admin/users", "--from", "shop/load")).toContain(
    "filters      redirect with 301: nothing is sent on\n",
  );
  stdout = "";
  expect(await run("GET", "http://web/", "--from", "shop/load")).toMatch(
    /✗ HTTPRoute shop\/web rule admin: the path is \/, it asks for path under \/admin\n +none: the caller gets 404 no_route\n$/,
  );
});

it.each([
  [
    ["GET", "http://nowhere/"],
    /^no Service for nowhere\.default\.svc\.cluster\.local:80, .*in the caller's namespace, default\); there are catalog-v1\.shop/,
  ],
  [["GET", "https://catalog/", "--from", "shop/web"], /^no Service for catalog\.shop\.svc\.cluster\.local:443, /],
  [["GET", "http://example.com:443/"], /^no Service for example\.com\.svc\.cluster\.local:443/],
  [["GET", "http://catalog/", "--from", "shop/wob"], /^no workload shop\/wob; there are shop\/catalog-v1, /],
  [["GET", "http://catalog/", "--from", "a/b/c"], /^not a caller: "a\/b\/c"/],
  [["G T", "http://catalog/"], /^not a method: "G T"/],
  [["GET", "http://user@catalog/"], /^not a URL: "http:\/\/user@catalog\/"/],
  [["GET", "http://catalog/", "-H", "no colon"], /^not a header: "no colon"/],
])("refuses %j", async (args, message) => {
  const refused = run(...args);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(message);
});
