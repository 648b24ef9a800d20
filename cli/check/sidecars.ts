/** Is every sidecar connected to the control plane, and of the same version? */

import { proxyVersionAnnotation } from "../../control-plane/injection/marks.ts";
import { at, type Fields, listAt, nameOf, readMeta } from "../cluster/fields.ts";
import { hasSidecar } from "../sidecars/find-sidecars.ts";
import { type Check, fail, named, ok, warn } from "./finding.ts";
import { isAlive } from "./pods-without-sidecar.ts";

export const sidecars: Check = {
  name: "sidecars",
  async run({ pods, view }) {
    const meshed = (await pods()).filter((pod) => hasSidecar(pod) && isAlive(pod));
    const mesh = await view().catch(() => undefined); // reported by the check of the control plane
    const broken = meshed.filter((pod) => hasFailed(pod)).map(nameOf);
    const running = meshed.filter((pod) => at(pod, "status", "phase") === "Running");
    const connected = new Set(mesh?.sidecars.map(({ pod }) => pod));
    const alone = mesh === undefined ? [] : running.map(nameOf).filter((name) => !connected.has(name));
    const expected = mesh?.version;
    const apart = meshed.filter((pod) => expected !== undefined && versionOf(pod) !== expected).map(nameOf);
    const findings = [
      ...(broken.length > 0
        ? [fail(`${named(broken)} can't start`, "kubectl logs POD -c tulle-init, or -c tulle-sidecar")]
        : []),
      ...(alone.length > 0
        ? [
            fail(
              `not connected: ${named(alone)}`,
              "they go by what they knew: kubectl logs POD -c tulle-sidecar says why",
            ),
          ]
        : []),
      ...(apart.length > 0
        ? [warn(`not of version ${expected}: ${named(apart)}`, "restart their workloads when it suits")]
        : []),
    ];
    if (findings.length > 0 || meshed.length === 0) return findings;
    const all = mesh === undefined ? `${meshed.length} in pods` : `${meshed.length} connected, version ${expected}`;
    return [ok(all)];
  },
};

function versionOf(pod: Fields): string {
  return readMeta(pod).annotations[proxyVersionAnnotation] ?? "unknown";
}

/** Kubelet has given up on a container of the mesh for now. */
function hasFailed(pod: Fields): boolean {
  const own = listAt(pod, "status", "initContainerStatuses").filter(({ name }) => String(name).startsWith("tulle-"));
  return own.some((container) => at(container, "state", "waiting", "reason") === "CrashLoopBackOff");
}
