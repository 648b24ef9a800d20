import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { askToDrain, takeDrainRequests } from "../../sidecar/drain-request.ts";
import { eventually } from "../support/eventually.ts";
import { nextPodIp } from "../support/sidecar-pair.ts";

const main = join(import.meta.dirname, "../../sidecar/main.ts");
const hook = join(import.meta.dirname, "../../sidecar/drain.ts");
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-state-"));
  return () => rm(folder, { recursive: true });
});

it("passes each request on to the sidecar, and confirms it to the caller", async () => {
  let asked = 0;
  const requests = await takeDrainRequests(folder, () => asked++);
  await askToDrain(folder);
  await askToDrain(folder);
  requests.close();
  expect(asked).toBe(2);
  await expect(askToDrain(folder)).rejects.toThrow("ENOENT");
});

it("takes the place of one that was killed", async () => {
  await writeFile(join(folder, "drain.sock"), "");
  const requests = await takeDrainRequests(folder, () => {});
  await expect(askToDrain(folder)).resolves.toBeUndefined();
  requests.close();
});

it("rejects a folder whose path is too long for a socket", async () => {
  await expect(takeDrainRequests(join(folder, "x".repeat(120)), () => {})).rejects.toThrow(/EINVAL|ENAMETOOLONG/);
});

it("reaches the running sidecar from the preStop hook, which returns at once", async () => {
  const run = promisify(execFile);
  const env = { ...process.env, TULLE_STATE_DIR: folder };
  await expect(run(process.execPath, [hook], { env })).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^tulle-sidecar: no sidecar was asked to drain: .*\n$/) as string,
  });

  const pod = { TULLE_NAMESPACE: "shop", TULLE_WORKLOAD: "web", TULLE_POD: "web-1", TULLE_SERVICE_ACCOUNT: "web" };
  const nowhere = { POD_IP: nextPodIp(), TULLE_CONTROL_PLANE: nextPodIp() };
  const files = { TULLE_TOKEN_FILE: join(folder, "token"), TULLE_TRUST_BUNDLE: join(folder, "trust-bundle") };
  const sidecar = spawn(process.execPath, [main], { env: { ...env, ...pod, ...nowhere, ...files } });
  onTestFinished(() => {
    sidecar.kill("SIGKILL");
  });
  let log = "";
  sidecar.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  await eventually(() => log.includes("certificate not issued"));
  await run(process.execPath, [hook], { env });
  await eventually(() => log.includes("asked to leave"));
  expect(sidecar.exitCode).toBeNull();
  const exited = once(sidecar, "exit");
  sidecar.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
}, 60_000);
