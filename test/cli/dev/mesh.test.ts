import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { startMesh } from "../../../cli/dev/mesh.ts";
import { Reports, serving, startTinyMesh, TinyFolder, tinyBundles } from "../../support/tiny-mesh/tiny-mesh.ts";

const never = new AbortController().signal;

describe("startMesh", { timeout: 30_000 }, () => {
  it("runs every replica on a loopback address of its own", async () => {
    using folder = new TinyFolder().deploy("web", serving, 2);
    await using mesh = await startTinyMesh(folder, new Reports());
    await mesh.settled(never);
    const addresses = mesh.pods.map(({ identity }) => identity.podIP);
    expect(new Set(addresses).size).toBe(2);
    expect(addresses.every((address) => /^127\.\d+\.\d+\.\d+$/.test(address))).toBe(true);
  });

  it("is settled once the control plane knows every ready pod, and not before", async () => {
    using folder = new TinyFolder().deploy("web", serving).write("deaf.txt", "");
    const reports = new Reports();
    await using mesh = await startTinyMesh(folder, reports);
    let knows = false;
    const settled = mesh.settled(never).then(() => {
      expect(knows).toBe(true);
    });
    await reports.next("ready");
    expect(await mesh.controlPlane.hasTold(mesh.pods.map(({ identity }) => identity))).toBe(false);
    knows = true;
    folder.remove("deaf.txt");
    await settled;
  });

  it("names an application that exits, with its last lines and its exit code, and starts it again", async () => {
    using folder = new TinyFolder().deploy("web", "echo first; echo last words >&2; exit 3");
    const reports = new Reports();
    await using mesh = await startTinyMesh(folder, reports);
    const { process, exit } = await reports.next("exited");
    expect(mesh.pods).toHaveLength(1);
    expect(process).toBe("web-1");
    expect(exit.how).toBe("exit code 3");
    expect(exit.lastLines).toContain("last words");
    const again = await reports.next("exited", (event) => event.exit !== exit);
    expect(again.exit.restartInMs).toBeGreaterThan(exit.restartInMs ?? 0);
  });

  it("names an application that does not listen on its own address", async () => {
    const elsewhere = serving.replace("process.env.HOST", '"127.0.0.1"');
    using folder = new TinyFolder().deploy("web", elsewhere, 1, 18_081);
    const reports = new Reports();
    await using mesh = await startTinyMesh(folder, reports);
    const { text } = await reports.next("problem");
    expect(text).toMatch(/^web-1 listens on 127\.0\.0\.1:18081, not on 127\.\d+\.\d+\.\d+:18081/);
    expect(mesh.pods[0]?.phase).toBe("starting");
  });

  it("does not count an application on all addresses as ready", async () => {
    using folder = new TinyFolder().deploy("web", serving.replace("process.env.HOST", '"0.0.0.0"'), 1, 18_082);
    const reports = new Reports();
    await using mesh = await startTinyMesh(folder, reports);
    const { text } = await reports.next("problem");
    expect(text).toContain("web-1 listens on 0.0.0.0:18082");
    expect(mesh.pods[0]?.phase).toBe("starting");
  });

  it("follows the folder while it runs: more replicas, another command, a removed Deployment", async () => {
    using folder = new TinyFolder().deploy("web", serving).deploy("api", serving);
    const reports = new Reports();
    await using mesh = await startTinyMesh(folder, reports);
    await mesh.settled(never);

    folder.deploy("web", serving, 2);
    await reports.next("ready", ({ pod }) => pod === "web-2");
    folder.deploy("web", `true; ${serving}`, 2);
    await reports.next("terminating", ({ pod }) => pod === "web-1");
    await reports.next("terminating", ({ pod }) => pod === "web-2");
    folder.remove("api.yaml");
    await reports.next("terminating", ({ pod }) => pod === "api-1");
    expect(mesh.pods.map(({ identity }) => identity.pod)).toEqual(["web-3", "web-4"]);
  });

  it("keeps what was running while a Deployment is broken, and says what is wrong with it", async () => {
    using folder = new TinyFolder().deploy("web", serving);
    const reports = new Reports();
    await using mesh = await startTinyMesh(folder, reports);
    await mesh.settled(never);
    folder.deploy("web", serving, -1);
    const { text } = await reports.next("problem");
    expect(text).toBe(`${folder.path}/web.yaml:6 spec.replicas: must be a whole number from 0 to 100000, got -1`);
    expect(mesh.pods.map(({ phase }) => phase)).toEqual(["ready"]);
    folder.deploy("web", serving);
    await reports.next("solved", (event) => event.text === text);
  });

  it("passes on the problems that the control plane finds", async () => {
    using folder = new TinyFolder()
      .deploy("web", serving)
      .write("complaint.txt", "policies.yaml:3 spec.maxAttemps: unknown");
    const reports = new Reports();
    await using _mesh = await startTinyMesh(folder, reports);
    const { text } = await reports.next("problem");
    expect(text).toBe("policies.yaml:3 spec.maxAttemps: unknown");
    folder.remove("complaint.txt");
    await reports.next("solved", (event) => event.text === text);
  });

  it("leaves no process, port or file when it stops", async () => {
    using folder = new TinyFolder().deploy("web", `sleep 1000 & ${serving}`);
    const mesh = await startTinyMesh(folder, new Reports());
    await mesh.settled(never);
    const [pod] = mesh.pods;
    await mesh.stop();
    expect(await refuses(pod?.identity.podIP ?? "", 18_080)).toBe(true);
    expect(await refuses(mesh.controlPlane.address, 15_014)).toBe(true);
    expect(await refuses(mesh.controlPlane.address, 15_009)).toBe(true);
    expect(readdirSync(folder.runtime)).toEqual([]);
  });

  it("runs beside another mesh of the same folder", async () => {
    using folder = new TinyFolder().deploy("web", serving);
    await using first = await startTinyMesh(folder, new Reports());
    await using second = await startTinyMesh(folder, new Reports());
    await Promise.all([first.settled(never), second.settled(never)]);
    expect(first.controlPlane.address).not.toBe(second.controlPlane.address);
  });

  it("refuses a folder without a Deployment", async () => {
    using folder = new TinyFolder().write("service.yaml", "apiVersion: v1\nkind: Service\n");
    const start = startMesh({
      folder: folder.path,
      env: {},
      report: () => undefined,
      signal: never,
      bundles: tinyBundles,
    });
    await expect(start).rejects.toThrow(`${folder.path}: holds no Deployment to run`);
  });

  it("refuses a folder that does not exist", async () => {
    const start = startMesh({
      folder: "/nowhere",
      env: {},
      report: () => undefined,
      signal: never,
      bundles: tinyBundles,
    });
    await expect(start).rejects.toThrow("/nowhere: cannot be read: no such file or directory");
  });

  it("leaves nothing behind if it is told to stop while it starts", async () => {
    using folder = new TinyFolder().deploy("web", serving);
    const controller = new AbortController();
    const start = startMesh({
      folder: folder.path,
      env: { ...process.env, XDG_RUNTIME_DIR: folder.runtime },
      report: ({ kind }) => kind === "progress" && controller.abort(new Error("enough")),
      signal: controller.signal,
      bundles: tinyBundles,
    });
    await expect(start).rejects.toThrow("enough");
    expect(readdirSync(folder.runtime)).toEqual([]);
  });
});

function refuses(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once("connect", () => resolve(false));
    socket.once("error", () => resolve(true));
    socket.once("close", () => socket.destroy());
  });
}
