import { expect, it } from "vitest";
import { type MeshEvent, reportProblemsOnce } from "../../../cli/dev/mesh-event.ts";

it("reports a problem once, however many find it, and its end when the last one is rid of it", () => {
  const seen: MeshEvent[] = [];
  const report = reportProblemsOnce((event) => seen.push(event));
  const text = "apps.yaml:3 spec.replicas: must be a whole number";
  report({ kind: "problem", text });
  report({ kind: "problem", text });
  report({ kind: "solved", text });
  expect(seen).toEqual([{ kind: "problem", text }]);
  report({ kind: "solved", text });
  expect(seen.at(-1)).toEqual({ kind: "solved", text });
  report({ kind: "problem", text });
  expect(seen).toHaveLength(3);
});

it("passes on every other event", () => {
  const seen: MeshEvent[] = [];
  const report = reportProblemsOnce((event) => seen.push(event));
  const event: MeshEvent = { kind: "unready", pod: "web-1", because: "web-1 exited" };
  report(event);
  report(event);
  expect(seen).toEqual([event, event]);
});
