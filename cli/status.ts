/**
 * `tulle status`: what became of each policy, which breakers are not closed, which workloads lose traces, and what is wrong.
 */

import { Command } from "commander";
import type { ConditionView, MeshView, PolicyView } from "../control-plane/dashboard/mesh-view.ts";
import { formatRate } from "../control-plane/dashboard/page/format.ts";
import { addMeshOptions, howToReach, type MeshOptions, readMesh } from "./mesh-client.ts";
import { formatTable } from "./table.ts";
import { type Paint, paintFor } from "./terminal.ts";

interface StatusOptions extends MeshOptions {
  readonly output: "json" | "text";
}

const help = `${howToReach}

Exits with 1 if a policy is not in force or the configuration has a problem. Breakers that are not closed, and traces that an
application loses, are shown but don't affect the exit code.

Examples:
  $ tulle status
  $ tulle status --url http://127.72.39.1:8080
  $ tulle status -o json | jq '.breakers'`;

export function statusCommand(): Command {
  const command = new Command("status");
  return addMeshOptions(command)
    .description("show what became of each policy, breakers that are not closed, and what is wrong")
    .addOption(command.createOption("-o, --output <format>").choices(["json", "text"]).default("text"))
    .addHelpText("after", help)
    .action((options: StatusOptions) => run(options));
}

async function run(options: StatusOptions): Promise<void> {
  const view = await readMesh(options, process.env);
  const text =
    options.output === "json"
      ? `${JSON.stringify(view, undefined, 2)}\n`
      : printStatus(view, paintFor(process.stdout, process.env));
  process.stdout.write(text);
  if (view.problems.length > 0 || view.policies.some((policy) => faultOf(policy) !== undefined)) process.exitCode = 1;
}

export function printStatus({ policies, breakers, sidecars, lost, problems }: MeshView, paint: Paint): string {
  const rows = policies.map((policy) => [policy.kind, policy.name, verdictOf(policy)]);
  const [title = "", ...lines] = formatTable([{ title: "KIND" }, { title: "NAME" }, { title: "STATE" }], rows);
  const painted = lines.map((line, index) => (isWell(policies[index]) ? line : paint("red", line)));
  return `${[
    ...(policies.length === 0 ? ["no policies"] : [paint("bold", title), ...painted]),
    "",
    `${sidecars.length} ${sidecars.length === 1 ? "sidecar" : "sidecars"} connected`,
    ...breakers.map(({ from, backend, endpoint, state }) =>
      paint("red", `breaker ${state}: ${from} to ${endpoint} of ${backend}`),
    ),
    ...lost.map(({ workload, requestsPerSecond }) =>
      paint(
        "yellow",
        `${workload} makes ${formatRate(requestsPerSecond)} requests without the trace of what it serves: does it pass traceparent on?`,
      ),
    ),
    ...problems
      .filter((problem) => !policies.some((policy) => says(policy, problem)))
      .map((line) => paint("red", line)),
  ].join("\n")}\n`;
}

/** `programmed 12/12`, or the first condition that is not met, with its message. */
function verdictOf(policy: PolicyView): string {
  const fault = faultOf(policy);
  if (fault !== undefined) return `${fault.type} ${fault.status}: ${fault.message}`;
  const programmed = policy.conditions.find(({ type }) => type === "Programmed");
  return programmed === undefined ? "accepted" : `programmed ${programmed.message}`.trim();
}

/** Whether the policy's row already says the same, as in a cluster; a problem from a folder adds file and line. */
function says(policy: PolicyView, problem: string): boolean {
  const subject = `${policy.kind} ${policy.name} `;
  return problem.startsWith(subject) && faultOf(policy)?.message.includes(problem.slice(subject.length)) === true;
}

function isWell(policy: PolicyView | undefined): boolean {
  return policy !== undefined && faultOf(policy) === undefined;
}

function faultOf({ conditions }: PolicyView): ConditionView | undefined {
  return conditions.find(({ good }) => !good);
}
