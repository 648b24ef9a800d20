/** May this user install the mesh? The API server is asked about each kind of object in the charts. */

import { at } from "../cluster/fields.ts";
import { type Check, fail, named, ok } from "./finding.ts";

interface Right {
  readonly group: string;
  readonly resource: string;
  /** Needed only in the mesh's own namespace. */
  readonly inMeshNamespace?: true;
}

const own = { inMeshNamespace: true } as const;

/** What `helm install` creates. */
const created: readonly Right[] = [
  { group: "", resource: "namespaces" },
  { group: "apiextensions.k8s.io", resource: "customresourcedefinitions" },
  { group: "rbac.authorization.k8s.io", resource: "clusterroles" },
  { group: "rbac.authorization.k8s.io", resource: "clusterrolebindings" },
  { group: "admissionregistration.k8s.io", resource: "mutatingwebhookconfigurations" },
  { group: "admissionregistration.k8s.io", resource: "validatingwebhookconfigurations" },
  { group: "apps", resource: "deployments", ...own },
  { group: "rbac.authorization.k8s.io", resource: "roles", ...own },
  { group: "rbac.authorization.k8s.io", resource: "rolebindings", ...own },
  { group: "", resource: "services", ...own },
  { group: "", resource: "serviceaccounts", ...own },
  { group: "", resource: "configmaps", ...own },
  { group: "", resource: "secrets", ...own },
];

export const rights: Check = {
  name: "rights to install",
  async run({ cluster }) {
    const answers = await Promise.all(
      created.map(async ({ group, resource, inMeshNamespace }) => {
        const namespace = inMeshNamespace ? { namespace: cluster.meshNamespace } : {};
        const { body } = await cluster.request({
          method: "POST",
          path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
          body: { spec: { resourceAttributes: { verb: "create", group, resource, ...namespace } } },
        });
        return at(body, "status", "allowed") === true ? [] : [`${resource}${group === "" ? "" : `.${group}`}`];
      }),
    );
    const denied = answers.flat();
    if (denied.length === 0) return [ok("you may create all that the charts hold")];
    return [fail(`you may not create ${named(denied)}`, "let a cluster administrator install the charts")];
  },
};
