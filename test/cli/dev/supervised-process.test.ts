import { afterEach, describe, expect, it } from "vitest";
import { processesOfGroup } from "../../../cli/dev/process-table.ts";
import { type Exit, SupervisedProcess } from "../../../cli/dev/supervised-process.ts";
import { eventually } from "../../support/eventually.ts";

const started: SupervisedProcess[] = [];

afterEach(async () => {
  for (const process of started.splice(0)) await process.stop(0);
});

/** Runs a shell command under supervision, with delays short enough for a test. */
function run(command: string) {
  const exits: Exit[] = [];
  const lines: string[] = [];
  const supervised = new SupervisedProcess({
    command: "/bin/sh",
    args: ["-c", command],
    folder: "/",
    env: process.env,
    restart: { firstMs: 10, maxMs: 40, resetAfterMs: 60_000 },
    onLine: (line) => lines.push(line),
    onExit: (exit) => exits.push(exit),
  });
  started.push(supervised);
  supervised.start();
  return { supervised, exits, lines };
}

describe("SupervisedProcess", () => {
  it("restarts with growing delays up to the longest", async () => {
    const { exits } = run("exit 7");
    await eventually(() => exits.length >= 4);
    expect(exits.slice(0, 4).map(({ restartInMs }) => restartInMs)).toEqual([10, 20, 40, 40]);
    expect(exits[0]?.how).toBe("exit code 7");
  });

  it("keeps the last lines of a process that died, including an unfinished one", async () => {
    const { exits } = run("for i in $(seq 30); do echo line $i; done; printf 'no newline' >&2; kill -9 $$");
    await eventually(() => exits.length >= 1);
    expect(exits[0]?.how).toBe("SIGKILL");
    expect(exits[0]?.lastLines).toHaveLength(15);
    expect(exits[0]?.lastLines).toContain("line 30");
    expect(exits[0]?.lastLines).toContain("no newline");
  });

  it("names a program that can't be started", async () => {
    const exits: Exit[] = [];
    const supervised = new SupervisedProcess({
      command: "/no/such/program",
      args: [],
      folder: "/",
      env: {},
      onExit: (exit) => exits.push(exit),
    });
    started.push(supervised);
    supervised.start();
    await eventually(() => exits.length >= 1);
    expect(exits[0]?.how).toContain("could not be started");
  });

  it("stops without reporting an exit, together with everything that the process started", async () => {
    const { supervised, exits, lines } = run("sleep 1000 & echo up; wait");
    await eventually(() => lines.includes("up"));
    const group = supervised.pid ?? 0;
    await supervised.stop(5_000);
    await eventually(() => processesOfGroup(group).length === 0);
    expect(exits).toEqual([]);
  });

  it("kills a process that does not end in time", async () => {
    const { supervised, lines } = run("trap '' TERM; echo up; while :; do sleep 0.05; done");
    await eventually(() => lines.includes("up"));
    await supervised.stop(100);
    expect(supervised.pid).toBeUndefined();
  });

  it("lets a second stop shorten the first one's grace", async () => {
    const { supervised, lines } = run("trap '' TERM; echo up; while :; do sleep 0.05; done");
    await eventually(() => lines.includes("up"));
    const slow = supervised.stop(600_000);
    await supervised.stop(50);
    await slow;
    expect(supervised.pid).toBeUndefined();
  });

  it("kills the rest of the group when its leader exits", async () => {
    const { supervised, exits } = run("sleep 1000 & exit 1");
    const group = supervised.pid ?? 0;
    await eventually(() => exits.length >= 1);
    await eventually(() => processesOfGroup(group).length === 0);
    expect(exits[0]?.how).toBe("exit code 1");
  });

  it("does not start again if it was stopped while waiting", async () => {
    const { supervised, exits } = run("exit 1");
    await eventually(() => exits.length >= 1);
    await supervised.stop(1_000);
    const count = exits.length;
    expect(supervised.pid).toBeUndefined();
    supervised.start();
    await eventually(() => exits.length > count);
    expect(exits.length).toBeGreaterThan(count);
  });
});
