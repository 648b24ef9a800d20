/** Asks a control plane for the mesh as it is now: the same that its dashboard shows. */

import type { MeshView } from "../control-plane/dashboard/mesh-view.ts";
import { UsageError } from "./usage-error.ts";

export const defaultUrl = "http://127.0.0.1:8080";
const patienceMs = 5_000;

export const urlHelp = `where the dashboard is; default: $TULLE_URL, else ${defaultUrl}`;

export const howToReach = `
It asks where the dashboard is. A mesh of "tulle dev" prints that address; in a cluster, first:
  kubectl -n tulle-system port-forward deploy/tulle-control-plane 8080`;

/** Throws a `UsageError` where nobody answers, or somebody else does. */
export async function fetchMesh(url: string | undefined, env: NodeJS.ProcessEnv): Promise<MeshView> {
  const base = url ?? env["TULLE_URL"] ?? defaultUrl;
  try {
    const answer = await fetch(new URL("/api/mesh", base), { signal: AbortSignal.timeout(patienceMs) });
    if (!answer.ok) throw new Error(`it answers ${answer.status}: ${(await answer.text()).trim()}`);
    return (await answer.json()) as MeshView;
  } catch (error) {
    throw new UsageError(`no control plane at ${base} (${reasonOf(error)}); --url says where it is`, { cause: error });
  }
}

/** `fetch` hides what happened in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  return code ?? error.message;
}
