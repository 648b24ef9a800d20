/** Prints the mesh's certificates as text. */

import type { CertificatesView, RootRole, SidecarView } from "../../control-plane/identity/certificates-view.ts";
import { formatTable } from "../table.ts";
import type { Paint } from "../terminal.ts";

const roles: Readonly<Record<RootRole, string>> = {
  signs: "signs",
  next: "comes next",
  former: "signed before",
  trusted: "trusted",
};
const phases = {
  settled: "no rotation under way",
  spreading: "rotation 1/3: the next root is being trusted everywhere",
  reissuing: "rotation 2/3: certificates of the new root are being issued",
} as const;
const namedLacks = 10;

export function printCertificates(view: CertificatesView, paint: Paint, nowMs: number): string {
  const { roots, signer, rotation, sidecars, replicas } = view;
  const rootRows = roots.map(({ id, role, subject, notAfterMs }) => [
    id.slice(0, 12),
    roles[role],
    formatLeft(notAfterMs - nowMs),
    subject,
  ]);
  const [rootTitle = "", ...rootLines] = formatTable(
    [{ title: "ROOT" }, { title: "ROLE" }, { title: "ENDS IN", align: "right" }, { title: "SUBJECT" }],
    rootRows,
  );
  const intermediate = roots.every(({ id }) => id !== signer.id);
  return `${[
    paint("bold", rootTitle),
    ...rootLines,
    ...(intermediate
      ? [`signed by an intermediate: ${signer.subject}, for ${formatLeft(signer.notAfterMs - nowMs)}`]
      : []),
    "",
    rotation.asked ? "rotation asked for, not begun yet" : phases[rotation.phase],
    ...printLacks(view, paint),
    "",
    ...printWorkloads(sidecars, paint, nowMs),
    `${count(sidecars.length, "sidecar")} at ${count(replicas.length, "replica")} of the control plane`,
  ].join("\n")}\n`;
}

/** One line per workload: when its first certificate expires, and how many of its sidecars have what they need. */
function printWorkloads(sidecars: readonly SidecarView[], paint: Paint, nowMs: number): string[] {
  if (sidecars.length === 0) return [];
  const workloads = Map.groupBy(sidecars, ({ workload }) => workload);
  const rows = Array.from(workloads, ([workload, all]) => {
    const ready = all.filter(({ lacks }) => lacks === undefined).length;
    const first = Math.min(...all.map(({ notAfterMs }) => notAfterMs));
    return [workload, `${ready}/${all.length}`, formatLeft(first - nowMs)];
  });
  const columns = [
    { title: "WORKLOAD" },
    { title: "READY", align: "right" },
    { title: "ENDS IN", align: "right" },
  ] as const;
  const [title = "", ...lines] = formatTable(columns, rows);
  return [paint("bold", title), ...lines, ""];
}

/** `begun`: the first step has been taken, perhaps even the last. */
export function printProgress(view: CertificatesView, begun: boolean, paint: Paint): string {
  const { rotation, sidecars, signer } = view;
  if (!begun) return "asked for, not begun yet\n";
  if (rotation.phase === "settled") return `done: root ${signer.id.slice(0, 12)} signs\n`;
  const ready = sidecars.filter(({ lacks }) => lacks === undefined).length;
  return `${[`${phases[rotation.phase]}: ${ready}/${sidecars.length} sidecars`, ...printLacks(view, paint)].join("\n")}\n`;
}

function printLacks({ rotation: { lacks } }: CertificatesView, paint: Paint): string[] {
  const named = lacks.slice(0, namedLacks).map(({ who, why }) => paint("red", `  ${who} ${why}`));
  return lacks.length <= namedLacks ? named : [...named, paint("red", `  and ${lacks.length - namedLacks} more`)];
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** Days, hours or minutes, whichever needs few digits. */
function formatLeft(ms: number): string {
  if (ms <= 0) return "ended";
  const [minutes, hours, days] = [ms / 60_000, ms / 3_600_000, ms / 86_400_000].map(Math.floor) as [
    number,
    number,
    number,
  ];
  if (days >= 2) return `${days} d`;
  return hours >= 2 ? `${hours} h` : `${minutes} min`;
}
