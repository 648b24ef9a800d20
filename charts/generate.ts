/**
 * `npm run crds`: the CustomResourceDefinitions in `charts/tulle-crds`, from the parsers' own definitions, so that what
 * `kubectl explain` says and what is accepted can't differ. A test fails when a file is stale.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { openApiOf, policyKinds } from "../model/parse/policy.ts";
import { type PolicyKind, pluralOf } from "../model/policy-object.ts";

const folder = join(import.meta.dirname, "tulle-crds", "templates");
const group = "tulle.dev";

/** https://github.com/kubernetes-sigs/gateway-api, `PolicyStatus`: one list of conditions, merged by type. */
const statusSchema = {
  type: "object",
  description: "What became of the policy, written by the control plane.",
  properties: {
    conditions: {
      type: "array",
      description:
        "Accepted: it is valid and in force. ResolvedRefs: what it names exists. Programmed: sidecars have it.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type", "status", "lastTransitionTime", "reason", "message"],
        properties: {
          type: { type: "string", maxLength: 316 },
          status: { type: "string", enum: ["True", "False", "Unknown"] },
          observedGeneration: { type: "integer", format: "int64", minimum: 0 },
          lastTransitionTime: { type: "string", format: "date-time" },
          reason: { type: "string", minLength: 1, maxLength: 1024 },
          message: { type: "string", maxLength: 32768 },
        },
      },
    },
  },
};

function columnOf(condition: string): object {
  return { name: condition, type: "string", jsonPath: `.status.conditions[?(@.type=="${condition}")].status` };
}

/** One definition, as YAML. */
function definitionOf(kind: PolicyKind): string {
  const plural = pluralOf(kind);
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      labels: { "app.kubernetes.io/part-of": "tulle" },
      // Uninstalling the chart must not delete everyone's policies.
      annotations: { "helm.sh/resource-policy": "keep" },
    },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), categories: ["tulle"] },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [
            columnOf("Accepted"),
            columnOf("Programmed"),
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
          ],
          schema: {
            openAPIV3Schema: {
              type: "object",
              required: ["spec"],
              properties: { spec: openApiOf(kind), status: statusSchema },
            },
          },
        },
      ],
    },
  };
  return `# Made by \`npm run crds\` from model/parse; edit that.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** By file name. */
export function definitions(): ReadonlyMap<string, string> {
  return new Map(policyKinds.map((kind) => [`${pluralOf(kind)}.yaml`, definitionOf(kind)]));
}

if (process.argv[1] === import.meta.filename) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of definitions()) writeFileSync(join(folder, name), text);
}
