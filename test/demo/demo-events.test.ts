import { describe, expect, it } from "vitest";
import { DemoEvents } from "../../deploy/demo/live/demo-events.ts";

describe("DemoEvents", () => {
  it("keeps the exited process in sight, however many last lines it had", () => {
    const events = new DemoEvents(() => undefined);
    const lastLines = Array.from({ length: 15 }, (_, i) => `line ${i}`);
    events.report({ kind: "exited", process: "orders-1", exit: { how: "SIGKILL", lastLines } });
    expect(events.lines.map((line) => line.replace(/^\S+ +/, "").trim())).toEqual([
      "exited   orders-1: SIGKILL; its last lines:",
      "line 13",
      "line 14",
    ]);
  });

  it("prints everything if there is no screen", () => {
    const printed: string[] = [];
    const events = new DemoEvents((line) => printed.push(line));
    events.report({ kind: "exited", process: "orders-1", exit: { how: "SIGKILL", lastLines: ["a", "b", "c", "d"] } });
    expect(printed).toHaveLength(5);
  });

  it("shows what is wrong until it is fixed", () => {
    const events = new DemoEvents(() => undefined);
    events.report({ kind: "problem", text: "policies.yaml:3 spec: wrong" });
    expect([...events.problems]).toEqual(["policies.yaml:3 spec: wrong"]);
    events.report({ kind: "solved", text: "policies.yaml:3 spec: wrong" });
    expect([...events.problems]).toEqual([]);
  });
});
