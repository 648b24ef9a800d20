/** Whether a run of the Gateway API's suite shows what it is run for. A suite that ran nothing ends well, too. */

import { parse } from "yaml";

/** What the suite's own output says of the tests that concern a mesh. */
export interface SuiteRun {
  readonly exitCode: number;
  readonly passed: number;
  readonly skipped: readonly string[];
}

/** Of v1.6.3. */
const meshTests = 22;
const profiles = ["MESH-GRPC", "MESH-HTTP"];

interface Report {
  readonly profiles?: readonly {
    readonly name?: string;
    readonly core?: { readonly result?: string; readonly statistics?: { readonly Passed?: number } };
  }[];
}

/** Why the whole suite does not count as passed, one reason each; empty: it does. `report` is the text that it has written. */
export function judgeSuite({ exitCode, passed, skipped }: SuiteRun, report: string): readonly string[] {
  const reasons: string[] = [];
  if (exitCode !== 0) reasons.push(`the suite ended with ${exitCode}`);
  if (skipped.length > 0) reasons.push(`${skipped.length} skipped: ${skipped.join(" ")}`);
  if (passed !== meshTests) reasons.push(`${passed} of ${meshTests} tests passed`);
  const reported = (parse(report) as Report | null)?.profiles ?? [];
  for (const name of profiles) {
    const core = reported.find((profile) => profile.name === name)?.core;
    if (core?.result !== "success" || (core.statistics?.Passed ?? 0) === 0)
      reasons.push(`${name}: ${core?.result ?? "not in the report"}, ${core?.statistics?.Passed ?? 0} passed`);
  }
  return reasons;
}

/** The same of a run of one test, which writes no report. */
export function judgeTest({ exitCode, passed, skipped }: SuiteRun): readonly string[] {
  if (exitCode !== 0) return [`the suite ended with ${exitCode}`];
  return passed === 0 ? [skipped.length > 0 ? "it was skipped" : "no test of a mesh has that name"] : [];
}
