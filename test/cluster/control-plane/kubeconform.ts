/** kubeconform with the schemas that an API server itself publishes, those of installed definitions among them. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { inputOf } from "../../support/program-input.ts";
import { clusterProgram } from "../api-server.ts";
import type { Kubectl } from "../kubectl.ts";

type Schema = Readonly<Record<string, unknown>>;

/** By the names that they have in an API server's OpenAPI. */
export type Definitions = ReadonlyMap<string, Schema>;

interface PublishedKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface Conformity {
  readonly code: number;
  readonly summary: Readonly<Record<"valid" | "invalid" | "errors" | "skipped", number>>;
  /** Of what is not valid: what is wrong with which object. */
  readonly resources: readonly { readonly kind: string; readonly name: string; readonly msg: string }[];
}

/** A field that a schema does not name is wrong in them, as with `kubectl --validate=strict`. */
export async function publishedDefinitions(kubectl: Kubectl): Promise<Definitions> {
  const { definitions } = JSON.parse((await kubectl("get --raw /openapi/v2")).out) as {
    readonly definitions: Readonly<Record<string, Schema>>;
  };
  return new Map(Object.entries(definitions).map(([name, schema]) => [name, closed(schema) as Schema]));
}

/** What kubeconform says of all objects in `yaml`. */
export async function conformityOf(yaml: string, definitions: Definitions): Promise<Conformity> {
  const folder = await mkdtemp(join(tmpdir(), "tulle-schemas-"));
  try {
    const kinds = new Set(Array.from(yaml.matchAll(/^kind: (\w+)$/gm), ([, kind = ""]) => kind));
    await writeSchemas(definitions, kinds, folder);
    const schemas = join(folder, "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json");
    const options = ["-strict", "-summary", "-output=json", `-schema-location=${schemas}`];
    const child = spawn(clusterProgram("kubeconform"), options);
    inputOf(child).end(yaml);
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close") as Promise<[number]>,
    ]);
    if (!out.startsWith("{")) throw new Error(`kubeconform: ${err || out}`);
    return { code, ...(JSON.parse(out) as Omit<Conformity, "code">) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** One file for each version of a kind, with all that it refers to. */
async function writeSchemas(definitions: Definitions, kinds: ReadonlySet<string>, folder: string): Promise<void> {
  for (const [name, schema] of definitions) {
    const published = (schema["x-kubernetes-group-version-kind"] ?? []) as readonly PublishedKind[];
    for (const { group, version, kind } of published.filter((one) => kinds.has(one.kind))) {
      const file = join(folder, group === "" ? version : group, `${kind.toLowerCase()}_${version}.json`);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, JSON.stringify({ ...schema, definitions: reachableFrom(name, definitions) }));
    }
  }
}

/** With `additionalProperties: false` wherever properties are listed, and with what OpenAPI 2 can't say put as JSON Schema does. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const { properties, ...rest } = schema as Schema;
  if (rest["format"] === "int-or-string" || rest["x-kubernetes-int-or-string"] === true)
    return { anyOf: [{ type: "integer" }, { type: "string" }] };
  const others = mapValues(rest, closed);
  if (properties === undefined) return others;
  const isOpen = rest["x-kubernetes-preserve-unknown-fields"] === true || "additionalProperties" in rest;
  const fields = mapValues(properties as Schema, closed);
  return { ...others, properties: fields, ...(!isOpen && { additionalProperties: false }) };
}

function mapValues(record: Schema, map: (value: unknown) => unknown): Schema {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}

function reachableFrom(name: string, definitions: Definitions): Schema {
  const reached = new Map<string, Schema>();
  const waiting = [name];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const schema = definitions.get(next);
    if (schema === undefined || reached.has(next)) continue;
    reached.set(next, schema);
    const references = JSON.stringify(schema).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g);
    for (const [, found = ""] of references) waiting.push(found);
  }
  return Object.fromEntries(reached);
}
