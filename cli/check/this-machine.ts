/** The checks for a mesh without a cluster, `tulle dev`: the control plane and its sidecars. */

import type { MeshView } from "../../control-plane/dashboard/mesh-view.ts";
import { formatLeft } from "../../control-plane/dashboard/page/format.ts";
import { version } from "../../system/version.ts";
import { type Finding, fail, named, ok, warn } from "./finding.ts";

export interface Section {
  readonly check: string;
  readonly findings: readonly Finding[];
}

export function checkView(view: MeshView, nowMs: number): Section[] {
  return [
    { check: "control plane", findings: [versionOf(view)] },
    {
      check: "objects",
      findings: view.problems.length === 0 ? [ok("nothing is wrong")] : view.problems.map((line) => fail(line)),
    },
    { check: "policies", findings: [policiesOf(view)] },
    { check: "sidecars", findings: [sidecarsOf(view)] },
    { check: "certificates", findings: certificatesOf(view, nowMs) },
  ];
}

function versionOf({ version: its }: MeshView): Finding {
  return its === version ? ok(`version ${its}`) : warn(`version ${its}, this command is ${version}`);
}

function policiesOf({ policies }: MeshView): Finding {
  const bad = policies.filter(({ conditions }) => conditions.some(({ good }) => !good));
  if (bad.length === 0) return ok(`${policies.length} in force`);
  return fail(`not in force: ${named(bad.map(({ kind, name }) => `${kind} ${name}`))}`, "tulle status says why");
}

function sidecarsOf({ sidecars, version: expected }: MeshView): Finding {
  if (sidecars.length === 0) return fail("none is connected");
  const apart = sidecars.filter((sidecar) => sidecar.version !== expected).map(({ pod }) => pod);
  return apart.length === 0
    ? ok(`${sidecars.length} connected, version ${expected}`)
    : warn(`not of version ${expected}: ${named(apart)}`);
}

function certificatesOf({ sidecars }: MeshView, nowMs: number): Finding[] {
  const ends = sidecars.flatMap(({ certificateEndsMs }) => certificateEndsMs ?? []);
  if (ends.length === 0) return [];
  const leftMs = Math.min(...ends) - nowMs;
  return [leftMs > 0 ? ok(`the first ends in ${formatLeft(leftMs)}`) : fail("one has expired, and was not renewed")];
}
