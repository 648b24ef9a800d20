import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { expect, it } from "vitest";
import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";
import { processesOfGroup } from "../../../cli/dev/process-table.ts";
import { eventually } from "../../support/eventually.ts";
import { TinyFolder } from "../../support/tiny-mesh/tiny-mesh.ts";

it("leaves no process or file when the supervisor is killed", { timeout: 30_000 }, async () => {
  // The application moves to a session of its own: neither its parent nor its process group leads to it any more. The shell
  // stays, as a pod whose first process ends is killed, and the runaway with it if it is not away yet.
  const server = `require("node:net").createServer().listen(process.env.PORT, process.env.HOST, () => console.log(process.pid))`;
  const runaway = `(setsid node -e '${server}' &); exec sleep 60`;
  using folder = new TinyFolder().deploy("web", runaway);
  const script = join(import.meta.dirname, "../../support/tiny-mesh/run.ts");
  const env = { ...process.env, XDG_RUNTIME_DIR: folder.runtime };
  const supervisor = spawn(process.execPath, [script, folder.path], { env, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(supervisor, "exit");
  const pid = await firstOutput(createInterface(supervisor.stdout)).finally(() => supervisor.kill("SIGKILL"));
  await exited;
  await eventually(() => processesOfGroup(pid).length === 0);
  await eventually(() => readdirSync(folder.runtime).length === 0);
  expect(readdirSync(folder.runtime)).toEqual([]);
});

/** Fails, with all that the supervisor said, if its application is not up in time. */
async function firstOutput(lines: Interface): Promise<number> {
  const said: string[] = [];
  const giveUp = setTimeout(() => lines.close(), 25_000);
  try {
    for await (const line of lines) {
      said.push(line);
      const event = JSON.parse(line) as MeshEvent;
      if (event.kind === "output") return Number(event.line);
    }
  } finally {
    clearTimeout(giveUp);
  }
  throw new Error(`the application wrote no line; the supervisor said:\n${said.join("\n")}`);
}
