/** Events in a mesh that its user should see. The supervisor reports them; `report.ts` and the demo put them into words. */

import type { Exit } from "./supervised-process.ts";

export type MeshEvent =
  | { readonly kind: "progress"; readonly text: string }
  /** A line that an application wrote. */
  | { readonly kind: "output"; readonly process: string; readonly line: string }
  | { readonly kind: "exited"; readonly process: string; readonly exit: Exit }
  | { readonly kind: "ready"; readonly pod: string; readonly podIP: string }
  | { readonly kind: "unready"; readonly pod: string; readonly because: string }
  | { readonly kind: "terminating"; readonly pod: string }
  /** Something in the folder or a pod is wrong: `policies.yaml:12 spec.maxAttemps: …`. It remains so until it is `solved`. */
  | { readonly kind: "problem"; readonly text: string }
  | { readonly kind: "solved"; readonly text: string };

export type Report = (event: MeshEvent) => void;

/**
 * Passes events on, but each problem and its solution only once, however many report it: the control plane and this command
 * read the same folder, and both find what is wrong with a Deployment.
 */
export function reportProblemsOnce(report: Report): Report {
  const saidBy = new Map<string, number>();
  return (event) => {
    if (event.kind !== "problem" && event.kind !== "solved") return report(event);
    const before = saidBy.get(event.text) ?? 0;
    const now = Math.max(before + (event.kind === "problem" ? 1 : -1), 0);
    if (now === 0) saidBy.delete(event.text);
    else saidBy.set(event.text, now);
    if (before === 0 || now === 0) report(event);
  };
}
