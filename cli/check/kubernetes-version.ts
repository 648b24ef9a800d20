/** Native sidecars exist from Kubernetes 1.29 on, in the API server and in each kubelet. */

import { textAt } from "../cluster/fields.ts";
import { type Check, fail, ok } from "./finding.ts";

const oldestMinor = 29;

export const kubernetesVersion: Check = {
  name: "Kubernetes version",
  async run({ cluster }) {
    const { body } = await cluster.request({ path: "/version" });
    const version = textAt(body, "gitVersion") ?? "unknown";
    return [isNewEnough(version) ? ok(version) : fail(`${version}: it takes 1.${oldestMinor} or later`)];
  },
};

/** `v1.35.0+k3s1`. */
export function isNewEnough(version: string): boolean {
  const [, major = "0", minor = "0"] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= oldestMinor);
}
