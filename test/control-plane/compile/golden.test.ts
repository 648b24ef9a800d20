/**
 * Pairs in `test/golden/compile`: `NAME.in.yaml` is what a user writes, `NAME.out.yaml` what it compiles to, with the status
 * of every policy and each problem as the user would see it. `UPDATE_GOLDEN=1` writes the second from the first.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { stringify } from "yaml";
import { allProblems, Pipeline } from "../../../control-plane/pipeline.ts";
import { parseManifest } from "../../../control-plane/source/manifest.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";
import type { Condition } from "../../../control-plane/status/condition.ts";

const folder = join(import.meta.dirname, "../../golden/compile");

function lineOf({ type, status, reason, message }: Condition): string {
  return `${type}=${status} ${reason}: ${message}`;
}

function compile(text: string, file: string): string {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  const { objects, problems } = parseManifest(text, file);
  pipeline.apply({ applied: objects, removed: [], problems });
  const statuses = pipeline.policyStatuses(() => undefined);
  const routes = pipeline.routeStatuses(() => undefined);
  const values = (kind: "destination" | "endpoints" | "inbound") =>
    pipeline.snapshot.list(kind).map(({ resource }) => resource.value);
  return stringify(
    {
      problems: allProblems(pipeline.index, [...statuses, ...routes]).map(formatProblem),
      statuses: statuses.map(({ kind, namespace, name, conditions }) => ({
        policy: `${kind} ${namespace}/${name}`,
        conditions: conditions.map(lineOf),
      })),
      routes: routes.map(({ kind, namespace, name, parents }) => ({
        route: `${kind} ${namespace}/${name}`,
        parents: parents.map(({ parentRef, conditions }) => ({ parentRef, conditions: conditions.map(lineOf) })),
      })),
      destinations: values("destination"),
      endpoints: values("endpoints"),
      inbounds: values("inbound"),
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}

const names = readdirSync(folder).flatMap((file) =>
  file.endsWith(".in.yaml") ? file.slice(0, -".in.yaml".length) : [],
);

it.each(names)("compiles %s", (name) => {
  const output = compile(readFileSync(join(folder, `${name}.in.yaml`), "utf8"), `${name}.in.yaml`);
  const expected = join(folder, `${name}.out.yaml`);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(expected, output);
  expect(output).toBe(readFileSync(expected, "utf8"));
});
