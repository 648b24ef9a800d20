import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { judgeSuite, judgeTest } from "../conformance/verdict.ts";

const path = join(import.meta.dirname, "../../docs/conformance/gateway-api-v1.6.3-mesh.yaml");
const report = readFileSync(path, "utf8");
const run = { exitCode: 0, passed: 22, skipped: [] };

it("accepts a run in which all tests of a mesh passed, with its report", () => {
  expect(judgeSuite(run, report)).toEqual([]);
});

it.each([
  ["failed", { ...run, exitCode: 1 }, report, "the suite ended with 1"],
  ["ran no test", { ...run, passed: 0 }, report, "0 of 22 tests passed"],
  ["skipped one", { ...run, skipped: ["MeshA"] }, report, "1 skipped: MeshA"],
  ["left a profile out", run, report.replace("name: MESH-GRPC", "name: X"), "MESH-GRPC: not in the report, 0 passed"],
  ["counted nothing in one", run, report.replace("Passed: 2", "Passed: 0"), "MESH-GRPC: success, 0 passed"],
  ["failed one", run, report.replace("result: success", "result: failure"), "MESH-GRPC: failure, 2 passed"],
])("refuses a run that %s", (_, ended, written, reason) => {
  expect(judgeSuite(ended, written)).toEqual([reason]);
});

it("refuses a run without a report", () => {
  expect(judgeSuite(run, "")).toHaveLength(2);
});

it("accepts a single test that ran, and refuses an unknown name", () => {
  expect(judgeTest({ ...run, passed: 1 })).toEqual([]);
  expect(judgeTest({ ...run, passed: 0 })).toEqual(["no test of a mesh has that name"]);
  expect(judgeTest({ ...run, passed: 0, skipped: ["MeshA"] })).toEqual(["it was skipped"]);
  expect(judgeTest({ ...run, exitCode: 2 })).toEqual(["the suite ended with 2"]);
});
