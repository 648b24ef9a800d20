/**
 * The logs of a control plane and two sidecars at level `debug`, with every request logged, while secrets of all kinds pass
 * through them.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { answerTo } from "../support/answer-to.ts";
import { eventually } from "../support/eventually.ts";
import { nextPodIp } from "../support/sidecar-pair.ts";

const root = join(import.meta.dirname, "../..");
const controlPlane = nextPodIp();
const pods = { web: nextPodIp(), orders: nextPodIp() } as const;
const stranger = nextPodIp();
/** Processes start slowly on a busy machine. */
const patienceMs = 40_000;
vi.setConfig({ testTimeout: 2 * patienceMs, hookTimeout: 2 * patienceMs });

const secret = {
  authorization: `bearer-${randomUUID()}`,
  cookie: `session-${randomUUID()}`,
  query: `query-${randomUUID()}`,
  body: `card-${randomUUID()}`,
  answer: `answer-${randomUUID()}`,
  setCookie: `set-cookie-${randomUUID()}`,
  redis: `redis-${randomUUID()}`,
  receiver: `api-key-${randomUUID()}`,
  unknownToken: `token-${randomUUID()}`,
  tokenOfWeb: randomUUID(),
  tokenOfOrders: randomUUID(),
} as const;

const policies = `
apiVersion: tulle.dev/v1alpha1
kind: IdempotencyPolicy
metadata: { name: orders, namespace: shop }
spec: { targetRefs: [{ kind: Service, name: orders }], store: redis }
---
apiVersion: tulle.dev/v1alpha1
kind: RetryPolicy
metadata: { name: broken, namespace: shop }
spec: { maxAttempts: none }
---
apiVersion: v1
kind: Service
metadata: { name: orders, namespace: shop }
spec: { selector: { app: orders }, ports: [{ name: http, port: 80, targetPort: 8080, appProtocol: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: nobody, namespace: shop }
spec: { selector: { app: nobody }, ports: [{ name: http, port: 80, targetPort: 8080, appProtocol: http }] }
`;

const podYaml = (name: string, podIP: string) => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}-1, namespace: shop, labels: { app: ${name} }, annotations: { tulle.dev/proxy-version: 0.1.0 } }
spec: { serviceAccountName: ${name}, containers: [{ name: app, ports: [{ name: http, containerPort: 8080 }] }] }
status: { phase: Running, podIP: ${podIP}, conditions: [{ type: Ready, status: "True" }] }
`;

let folder: string;
let application: Server;
const children: ChildProcess[] = [];
let log = "";

function start(main: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  const child = spawn(process.execPath, [join(root, main), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...env },
  });
  for (const output of [child.stdout, child.stderr])
    output.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
    });
  children.push(child);
}

async function startSidecar(name: string, podIp: string, token: string): Promise<void> {
  const own = join(folder, name);
  await mkdir(own);
  await writeFile(join(own, "token"), token);
  await writeFile(join(own, "redis"), `redis://:${secret.redis}@127.0.0.1:1/0`);
  start("sidecar/main.ts", [], {
    TULLE_NAMESPACE: "shop",
    TULLE_WORKLOAD: `${name}-1`,
    TULLE_POD: `${name}-1`,
    TULLE_SERVICE_ACCOUNT: name,
    POD_IP: podIp,
    TULLE_TOKEN_FILE: join(own, "token"),
    TULLE_TRUST_BUNDLE: join(folder, "state", "trust-bundle.pem"),
    TULLE_STATE_DIR: own,
    TULLE_CONTROL_PLANE: controlPlane,
    TULLE_REDIS_URL_FILE: join(own, "redis"),
    TULLE_LOG_LEVEL: "debug",
    TULLE_ACCESS_LOG: "all",
    // Nobody listens there.
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
    OTEL_EXPORTER_OTLP_HEADERS: `api-key=${secret.receiver}`,
    OTEL_TRACES_SAMPLER_ARG: "1",
    OTEL_BSP_SCHEDULE_DELAY: "100",
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function allow(name: string, token: string): Promise<void> {
  const kept = { namespace: "shop", serviceAccount: name, pod: `${name}-1`, audience: "tulle" };
  const record = `${createHash("sha256").update(token).digest("hex")}.json`;
  await writeFile(join(folder, "state", "tokens", record), JSON.stringify(kept), { mode: 0o600 });
}

const answers = (url: string): Promise<void> =>
  eventually(async () => (await fetch(url).catch(() => undefined))?.status === 200, patienceMs);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-secrets-"));
  await mkdir(join(folder, "yaml"));
  const running = Object.entries(pods).map(([name, podIP]) => podYaml(name, podIP));
  await writeFile(join(folder, "yaml", "shop.yaml"), policies + running.join(""));
  application = createServer((asked, response) => {
    asked.resume();
    response.writeHead(asked.url?.startsWith("/broken") ? 500 : 200, { "set-cookie": secret.setCookie });
    response.end(secret.answer);
  }).listen(8_080, pods.orders);
  await once(application, "listening");
  const state = ["--folder", join(folder, "yaml"), "--state", join(folder, "state")];
  start("control-plane/main.ts", ["--listen-address", controlPlane, "--log-level", "debug", ...state], {});
  await answers(`http://${controlPlane}:15014/ready`);
  await Promise.all([allow("web", secret.tokenOfWeb), allow("orders", secret.tokenOfOrders)]);
  await startSidecar("web", pods.web, secret.tokenOfWeb);
  await startSidecar("orders", pods.orders, secret.tokenOfOrders);
  await startSidecar("stranger", stranger, secret.unknownToken);
  for (const ip of Object.values(pods)) await answers(`http://${ip}:15020/ready`);
});

afterAll(async () => {
  await Promise.all(children.map(end));
  application.close();
  application.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});

async function ask(service: string, path: string, more: Readonly<Record<string, string>> = {}): Promise<number> {
  const asking = request({
    host: pods.web,
    port: 15_001,
    method: "POST",
    path: `http://${service}.shop.svc.cluster.local${path}?token=${secret.query}`,
    headers: {
      host: `${service}.shop.svc.cluster.local`,
      authorization: `Bearer ${secret.authorization}`,
      cookie: secret.cookie,
      ...more,
    },
    agent: false,
  });
  asking.end(secret.body);
  const response = await answerTo(asking);
  await text(response);
  return response.statusCode ?? 0;
}

it("logs requests, failures and refusals, but no secret", async () => {
  expect(await ask("orders", "/fine")).toBe(200);
  expect(await ask("orders", "/broken")).toBe(500);
  expect(await ask("nobody", "/lost")).toBe(503);
  // Redis can't be reached.
  expect(await ask("orders", "/keyed", { "idempotency-key": "1" })).toBe(503);
  const told = ['"message":"certificate refused"', '"message":"redis can\'t be reached"', '"level":"debug"'];
  await eventually(() => told.every((part) => log.includes(part)), patienceMs);
  for (const path of ["/fine", "/broken", "/lost", "/keyed"])
    expect(log).toMatch(new RegExp(`"message":"request".*"path":"${path}"`));
  for (const [name, value] of Object.entries(secret)) expect([name, log.includes(value)]).toEqual([name, false]);
});

it("shows no private key of any kind", () => {
  const files = globSync("**/*", { cwd: folder, withFileTypes: true }).filter((file) => file.isFile());
  const keys = files
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"))
    .flatMap((content) => [...content.matchAll(/PRIVATE KEY-----(?:\s|\\n)+([A-Za-z0-9+/]{40})/g)])
    .map(([, start = ""]) => start);
  expect(keys.length).toBeGreaterThanOrEqual(3);
  expect(keys.filter((key) => log.includes(key))).toEqual([]);
  expect(log).not.toContain("PRIVATE KEY");
});

it("has constant messages, each as it is in the code", () => {
  const sources = globSync("{sidecar,control-plane,system}/**/*.ts", { cwd: root })
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join("\n");
  const lines = log.split("\n").filter((line) => line.startsWith('{"time":'));
  const messages = new Set(lines.map((line) => (JSON.parse(line) as { message: string }).message));
  expect(messages.size).toBeGreaterThan(8);
  expect([...messages].filter((message) => !sources.includes(`"${message}"`))).toEqual([]);
  // A message that is put together would be a template.
  expect(sources).not.toMatch(/\blog\(\s*[^,()`]+,\s*`/i);
});
