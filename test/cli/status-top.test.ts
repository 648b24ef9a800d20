import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Command } from "commander";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { statusCommand } from "../../cli/status.ts";
import { topCommand } from "../../cli/top.ts";
import { UsageError } from "../../cli/usage-error.ts";
import type { MeshView } from "../../control-plane/dashboard/mesh-view.ts";

const quiet: MeshView = {
  version: "0.1.0",
  windowMs: 10_000,
  edges: [],
  latencies: [],
  breakers: [],
  splits: [],
  policies: [],
  sidecars: [],
  traces: [],
  lost: [],
  problems: [],
};
const well = [
  { type: "Accepted", status: "True", message: "", good: true },
  { type: "Programmed", status: "True", message: "2/2", good: true },
];
const refused = [{ type: "Accepted", status: "False", message: "spec.maxAttemps: unknown field", good: false }];

let server: Server;
let view: MeshView;
let stdout: string;

beforeEach(async () => {
  server = createServer((request, response) => {
    if (request.url === "/api/mesh") response.end(JSON.stringify(view));
    else response.writeHead(404).end("no such page");
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  stdout = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  server.close();
});

function url(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function run(...words: string[]): Promise<typeof process.exitCode> {
  const program = new Command("tulle").addCommand(statusCommand()).addCommand(topCommand());
  await program.parseAsync([...words, "--url", url()], { from: "user" });
  return process.exitCode;
}

function statusHelp(): string {
  let text = "";
  const command = statusCommand().configureOutput({ writeOut: (more) => (text += more) });
  command.outputHelp();
  return text;
}

it("shows for each policy whether sidecars have it", async () => {
  view = { ...quiet, policies: [{ kind: "RetryPolicy", name: "shop/orders", conditions: well, subjects: [] }] };
  expect(await run("status")).toBeUndefined();
  expect(stdout).toBe(
    "KIND         NAME         STATE\nRetryPolicy  shop/orders  programmed 2/2\n\n0 sidecars connected\n",
  );
});

it("names refused policies and open breakers, and exits with 1", async () => {
  view = {
    ...quiet,
    policies: [{ kind: "RetryPolicy", name: "shop/orders", conditions: refused, subjects: [] }],
    breakers: [{ from: "shop/web", backend: "orders:80", endpoint: "10.0.0.1:80", state: "open" }],
    problems: ["a.yaml:3 spec.maxAttemps: unknown field"],
  };
  expect(await run("status")).toBe(1);
  expect(stdout).toContain("shop/orders  Accepted False: spec.maxAttemps: unknown field\n");
  expect(stdout).toContain(
    "breaker open: shop/web to 10.0.0.1:80 of orders:80\na.yaml:3 spec.maxAttemps: unknown field\n",
  );
});

it("shows once what is wrong with a policy of a cluster, whose problem has no file and no line", async () => {
  const problem = (name: string, message: string) => `RetryPolicy shop/${name} ${message}`;
  view = {
    ...quiet,
    policies: [{ kind: "RetryPolicy", name: "shop/orders", conditions: refused, subjects: [] }],
    problems: [
      problem("orders", "spec.maxAttemps: unknown field"),
      problem("orders", "spec.jitter: warning: as good as none"),
      problem("orders-2", "spec.maxAttemps: unknown field"),
    ],
  };
  expect(await run("status")).toBe(1);
  expect(stdout.split("\n").slice(1)).toEqual([
    "RetryPolicy  shop/orders  Accepted False: spec.maxAttemps: unknown field",
    "",
    "0 sidecars connected",
    "RetryPolicy shop/orders spec.jitter: warning: as good as none",
    "RetryPolicy shop/orders-2 spec.maxAttemps: unknown field",
    "",
  ]);
});

it("names an open breaker, which is not a fault of the configuration", async () => {
  const breakers = [{ from: "shop/web", backend: "orders:80", endpoint: "10.0.0.1:80", state: "open" }] as const;
  view = { ...quiet, breakers };
  expect(await run("status")).toBeUndefined();
  expect(stdout).toContain("\nbreaker open: shop/web to 10.0.0.1:80 of orders:80\n");
  expect(statusHelp()).toMatch(/Breakers that are not closed, .* don't affect the exit code\.$/ms);
});

it("names a workload that loses traces, which is not a failure", async () => {
  view = { ...quiet, lost: [{ workload: "shop/orders", requestsPerSecond: 2.5 }] };
  expect(await run("status")).toBeUndefined();
  expect(stdout).toContain("\nshop/orders makes 2.5/s requests without the trace of what it serves: ");
});

it("shows the busiest edges first, and only once if the output is not a terminal", async () => {
  const edge = { from: "shop/web", service: "shop/orders", backend: "shop/orders" };
  view = {
    ...quiet,
    edges: [
      { ...edge, requestsPerSecond: 1.25, successShare: 1, mutualTlsShare: 1 },
      { ...edge, backend: "", requestsPerSecond: 20, successShare: 0.99999 },
    ],
    latencies: [{ service: "shop/orders", p50Ms: 3.14, p99Ms: undefined }],
  };
  await run("top");
  expect(stdout).toBe(
    `FROM      SERVICE      BACKEND      REQUESTS  SUCCESS     P50        P99  MTLS
shop/web  shop/orders  -                20/s  99.99 %  3.1 ms  over 30 s  unknown
shop/web  shop/orders  shop/orders     1.3/s    100 %  3.1 ms  over 30 s  yes
`,
  );
});

it("prints both as JSON", async () => {
  view = { ...quiet, problems: ["one"] };
  await run("top", "-o", "json");
  expect(JSON.parse(stdout)).toEqual(view);
});

it("says in one line that nobody answers, and how to name the address", async () => {
  const program = new Command("tulle").addCommand(statusCommand());
  const nobody = url();
  await new Promise((resolve) => void server.close(resolve));
  const asked = program.parseAsync(["status", "--url", nobody], { from: "user" });
  await expect(asked).rejects.toThrow(UsageError);
  await expect(asked).rejects.toThrow(`no control plane at ${nobody} (ECONNREFUSED); --url says where it is`);
  const nowhere = program.parseAsync(["status", "--url", "not a url"], { from: "user" });
  await expect(nowhere).rejects.toThrow("--url must be like http://127.0.0.1:8080, got not a url");
});
