/**
 * `control-plane uninstall …`: what the chart's hooks run before and after `helm uninstall`. It needs no running control plane.
 * It ends with 0, with 1 if the mesh must stay, and with 2 if the cluster can't be reached.
 */

import { parseArgs } from "node:util";
import { reasonOf } from "../../system/log.ts";
import { meshNamespace } from "../index/facts.ts";
import { openClusterApi } from "../kubernetes/cluster-api.ts";
import { describeMeshedPods, listMeshedPods } from "./meshed-pods.ts";
import { removeOwnObjects } from "./own-objects.ts";

const usage = `usage: control-plane uninstall check [--force]   fails while pods have a sidecar, and names them
       control-plane uninstall clean             removes what the control plane made itself, once it has ended
`;
const mustStayExitCode = 1;
const environmentExitCode = 2;

/** Resolves with the exit code. Never rejects. */
export async function runUninstall(args: readonly string[], write: (text: string) => void): Promise<number> {
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { force: { type: "boolean", default: false }, kubeconfig: { type: "string" } },
    });
    const [step = ""] = positionals;
    if (positionals.length !== 1 || !["check", "clean"].includes(step)) {
      write(usage);
      return environmentExitCode;
    }
    const api = await openClusterApi(values.kubeconfig);
    try {
      if (step === "clean") {
        for (const removed of await removeOwnObjects(api, meshNamespace)) write(`removed ${removed}\n`);
        return 0;
      }
      const pods = await listMeshedPods(api);
      if (pods.length === 0) return 0;
      write(describeMeshedPods(pods, values.force));
      return values.force ? 0 : mustStayExitCode;
    } finally {
      api.close();
    }
  } catch (error) {
    write(`tulle-control-plane: ${reasonOf(error)}\n`);
    return environmentExitCode;
  }
}
