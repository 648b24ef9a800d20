import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseDocument } from "yaml";
import { parseGatewayRoute } from "../../model/parse/gateway-route.ts";
import { isPolicyKind, openApiOf, parsePolicy } from "../../model/parse/policy.ts";
import type { PolicyKind } from "../../model/policy-object.ts";

const folder = new URL("../../docs/policies/", import.meta.url);
/** The kinds that have a page, each titled with its kind. */
const pages = new Map(
  readdirSync(folder).map((name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    return [/^# ([A-Za-z]+)\n/.exec(text)?.[1] ?? name, text];
  }),
);
const kinds = [...pages.keys()].filter(isPolicyKind);

function pageOf(kind: PolicyKind): string {
  return pages.get(kind) ?? "";
}

/** The fields of a kind, with the default that its schema tells, if it does. */
function fieldsOf(kind: PolicyKind): [name: string, told: string | undefined][] {
  const properties = openApiOf(kind)["properties"] as Readonly<Record<string, { description?: string }>>;
  return Object.entries(properties).map(([name, { description = "" }]) => [
    name,
    / Default: (.*)\.$/.exec(description)?.[1],
  ]);
}

/** Kinds of the Gateway API, whose fields are documented there. */
const routeKinds = ["GRPCRoute", "HTTPRoute"];

it("has a page for each kind that sidecars obey, and for no kind that does not exist", () => {
  expect([...kinds, ...routeKinds].sort()).toEqual([...pages.keys()].sort());
  expect(kinds).toEqual(expect.arrayContaining(["CircuitBreaker", "RetryPolicy", "TimeoutPolicy", "TrafficSplit"]));
});

it.each(kinds)("documents the fields of %s, in the order of its schema, with their defaults", (kind) => {
  const rows = [...pageOf(kind).matchAll(/^\| `([A-Za-z]+)` \| ([^|]+) \| [^|]+ \|$/gm)];
  const documented = new Map(rows.map(([, name = "", told]) => [name, told]));
  const fields = fieldsOf(kind);
  expect([...documented.keys()].slice(0, fields.length)).toEqual(fields.map(([name]) => name));
  for (const [name, told] of fields.filter(([, value]) => value !== undefined))
    expect([name, documented.get(name)]).toEqual([name, told]);
});

it.each(kinds)("shows an example of %s that is accepted", (kind) => {
  const examples = [...pageOf(kind).matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = ""]) => yaml);
  expect(examples).not.toEqual([]);
  for (const example of examples) {
    expect(parsePolicy(parseDocument(example).toJS())).toMatchObject({ ok: true, value: { kind } });
  }
});

it.each(routeKinds)("shows an example of %s that is accepted", (kind) => {
  const examples = [...(pages.get(kind) ?? "").matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = ""]) => yaml);
  expect(examples).not.toEqual([]);
  for (const example of examples) {
    const object = parseDocument(example).toJS() as Readonly<Record<string, unknown>>;
    expect(parseGatewayRoute(object)).toMatchObject({ ok: true, value: { kind } });
  }
});
