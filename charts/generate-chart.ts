/**
 * `npm run charts`: what the chart `tulle` says twice is made here from the place where it is said first: its access rules
 * from `control-plane/kubernetes/rules.ts`, its README's table of values from values.schema.json and values.yaml. Dashboards and
 * alerts are those of `deploy/`: a chart holds only what lies in its folder.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { type AccessRule, accessRules, uninstallRules } from "../control-plane/kubernetes/rules.ts";
import { dashboardJson, dashboards } from "../deploy/grafana/generate.ts";

const folder = join(import.meta.dirname, "tulle");

const deploy = join(import.meta.dirname, "../deploy");

const labels = `  labels:
    {{- include "tulle.labels" . | nindent 4 }}`;

/** Made for as long as the hooks around `helm uninstall` run. */
const uninstallHook = `
  annotations:
    {{- include "tulle.uninstallHook" "-5" | nindent 4 }}`;

/** By path in the chart. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["templates/access.yaml", accessTemplate("tulle-control-plane", accessRules, "")],
    ["templates/uninstall-access.yaml", accessTemplate("tulle-uninstall", uninstallRules, uninstallHook)],
    ["README.md", readme()],
    ["files/alerts.yaml", readFileSync(join(deploy, "prometheus/alerts.yaml"), "utf8")],
    ...dashboards.map((dashboard) => [`files/${dashboard.uid}.json`, dashboardJson(dashboard)] as const),
  ]);
}

/** The roles and bindings of a service account; `annotations` stand in the metadata of each. */
function accessTemplate(account: string, rules: readonly AccessRule[], annotations: string): string {
  const own = rules.filter(({ ownNamespace }) => ownNamespace === true);
  const everywhere = rules.filter(({ ownNamespace }) => ownNamespace !== true);
  return `{{- /* Made by \`npm run charts\` from control-plane/kubernetes/rules.ts; edit that. */ -}}
${role("ClusterRole", metadata("ClusterRole", account, annotations), everywhere)}---
${role("Role", metadata("Role", account, annotations), own)}---
${binding("ClusterRole", metadata("ClusterRole", account, annotations), account)}---
${binding("Role", metadata("Role", account, annotations), account)}`;
}

type RoleKind = "ClusterRole" | "Role";

function metadata(kind: RoleKind, account: string, annotations: string): string {
  const namespace = kind === "Role" ? "\n  namespace: {{ .Release.Namespace }}" : "";
  return `metadata:\n  name: ${account}${namespace}\n${labels}${annotations}`;
}

function role(kind: RoleKind, meta: string, rules: readonly AccessRule[]): string {
  const written = rules.map((rule) => {
    const { group, resources, verbs, names, why } = rule;
    const said = { apiGroups: [group], resources, ...(names === undefined ? {} : { resourceNames: names }), verbs };
    const [first = "", ...rest] = stringify(said, { lineWidth: 0 }).trimEnd().split("\n");
    return [`  # ${why}`, `  - ${first}`, ...rest.map((line) => `    ${line}`)].join("\n");
  });
  return `apiVersion: rbac.authorization.k8s.io/v1\nkind: ${kind}\n${meta}\nrules:\n${written.join("\n")}\n`;
}

function binding(kind: RoleKind, meta: string, account: string): string {
  return `apiVersion: rbac.authorization.k8s.io/v1
kind: ${kind}Binding
${meta}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ${kind}, name: ${account} }
subjects: [{ kind: ServiceAccount, name: ${account}, namespace: {{ .Release.Namespace }} }]
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

For production add \`-f charts/tulle/values-ha.yaml\`: two replicas, on different nodes if there are any free, a disruption budget, a priority class, a network policy.

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
  mkdirSync(join(folder, "files"), { recursive: true });
  for (const [path, text] of generatedFiles()) writeFileSync(join(folder, path), text);
}
