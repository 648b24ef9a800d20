/**
 * `npm run charts`: what the chart `tulle` says twice is made here from the place where it is said first: its access rules
 * from `control-plane/kubernetes/rules.ts`, its README's table of values from values.schema.json and values.yaml.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { type AccessRule, accessRules } from "../control-plane/kubernetes/rules.ts";

const folder = join(import.meta.dirname, "tulle");

const labels = `  labels:
    {{- include "tulle.labels" . | nindent 4 }}`;

/** By path in the chart. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["templates/access.yaml", accessTemplate(accessRules)],
    ["README.md", readme()],
  ]);
}

export function accessTemplate(rules: readonly AccessRule[]): string {
  const own = rules.filter(({ ownNamespace }) => ownNamespace === true);
  const everywhere = rules.filter(({ ownNamespace }) => ownNamespace !== true);
  return `{{- /* Made by \`npm run charts\` from control-plane/kubernetes/rules.ts; edit that. */ -}}
${role("ClusterRole", everywhere)}---
${role("Role", own)}---
${binding("ClusterRole")}---
${binding("Role")}`;
}

type RoleKind = "ClusterRole" | "Role";

function metadata(kind: RoleKind): string {
  const namespace = kind === "Role" ? "\n  namespace: {{ .Release.Namespace }}" : "";
  return `metadata:\n  name: tulle-control-plane${namespace}\n${labels}`;
}

function role(kind: RoleKind, rules: readonly AccessRule[]): string {
  const written = rules.map((rule) => {
    const { group, resources, verbs, names, why } = rule;
    const said = { apiGroups: [group], resources, ...(names === undefined ? {} : { resourceNames: names }), verbs };
    const [first = "", ...rest] = stringify(said, { lineWidth: 0 }).trimEnd().split("\n");
    return [`  # ${why}`, `  - ${first}`, ...rest.map((line) => `    ${line}`)].join("\n");
  });
  return `apiVersion: rbac.authorization.k8s.io/v1\nkind: ${kind}\n${metadata(kind)}\nrules:\n${written.join("\n")}\n`;
}

function binding(kind: RoleKind): string {
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: ${kind}Binding
${metadata(kind)}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ${kind}, name: tulle-control-plane }
subjects: [{ kind: ServiceAccount, name: tulle-control-plane, namespace: {{ .Release.Namespace }} }]
`;
}

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Row {
  readonly name: string;
  readonly usual: string;
  readonly says: string;
}

function readme(): string {
  const schema = JSON.parse(readFileSync(join(folder, "values.schema.json"), "utf8")) as Schema;
  const values: unknown = parse(readFileSync(join(folder, "values.yaml"), "utf8"));
  const rows = rowsOf(schema, values, "").map(({ name, usual, says }) => `| \`${name}\` | ${usual} | ${says} |`);
  return `# Chart tulle

The control plane of Tulle, and the webhooks that give pods their sidecar. How to install it: [docs/install.md](../../docs/install.md).

\`\`\`sh
helm install tulle-crds charts/tulle-crds
helm install tulle charts/tulle --namespace tulle-system --create-namespace
\`\`\`

For production add \`-f charts/tulle/values-ha.yaml\`: two replicas on different nodes, a disruption budget, a network policy.

## Values

Made by \`npm run charts\` from values.schema.json and values.yaml.

| Value | Default | Says |
|---|---|---|
${rows.join("\n")}
`;
}

/** Those with a description: a whole group may have one for all. */
function rowsOf(schema: Schema, value: unknown, path: string): Row[] {
  if (schema.description !== undefined && path !== "" && path !== "global")
    return [{ name: path, usual: `\`${JSON.stringify(value)}\``, says: schema.description }];
  return Object.entries(schema.properties ?? {})
    .filter(([name]) => name !== "global")
    .flatMap(([name, inner]) => rowsOf(inner, valueIn(value, name), path === "" ? name : `${path}.${name}`));
}

function valueIn(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
}

if (process.argv[1] === import.meta.filename) {
  for (const [path, text] of generatedFiles()) writeFileSync(join(folder, path), text);
}
