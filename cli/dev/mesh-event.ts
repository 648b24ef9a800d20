/** What happens in a mesh that its user should see. The supervisor reports; `report.ts` and the demo put it into words. */

import type { Exit } from "./supervised-process.ts";

export type MeshEvent =
  | { readonly kind: "progress"; readonly text: string }
  /** A line that an application wrote. */
  | { readonly kind: "output"; readonly process: string; readonly line: string }
  | { readonly kind: "exited"; readonly process: string; readonly exit: Exit }
  | { readonly kind: "ready"; readonly pod: string; readonly podIP: string }
  | { readonly kind: "unready"; readonly pod: string; readonly because: string }
  | { readonly kind: "terminating"; readonly pod: string }
  /** Something in the folder or a pod is wrong: `policies.yaml:12 spec.maxAttemps: …`. It stays so until it is `solved`. */
  | { readonly kind: "problem"; readonly text: string }
  | { readonly kind: "solved"; readonly text: string };

export type Report = (event: MeshEvent) => void;
