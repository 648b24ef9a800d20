import { describe, expect, it } from "vitest";
import { objectKey } from "../../../control-plane/source/kube-object.ts";
import { parseManifest } from "../../../control-plane/source/manifest.ts";
import { formatProblem } from "../../../control-plane/source/problem.ts";

function problemsOf(text: string): string[] {
  return parseManifest(text, "a.yaml").problems.map(formatProblem);
}

function keysOf(text: string): string[] {
  return parseManifest(text, "a.yaml").objects.map(objectKey);
}

describe("objects", () => {
  it("reads several documents, with comments and empty documents between them", () => {
    const text =
      "# head\n---\nkind: Service\napiVersion: v1\nmetadata: {name: a}\n---\n---\n# only a comment\n---\n" +
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, namespace: shop}\n";
    expect(keysOf(text)).toEqual(["Service default/a", "Deployment.apps shop/b"]);
    expect(problemsOf(text)).toEqual([]);
  });

  it("reads the items of a list, and JSON as the YAML it is", () => {
    const text = JSON.stringify(
      {
        apiVersion: "v1",
        kind: "List",
        items: ["a", "b"].map((name) => ({ apiVersion: "v1", kind: "Service", metadata: { name } })),
      },
      null,
      "\t",
    );
    expect(keysOf(text)).toEqual(["Service default/a", "Service default/b"]);
  });

  it("gives a namespace to all but cluster-scoped objects", () => {
    expect(keysOf("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")).toEqual(["Namespace /shop"]);
  });

  it("keeps the name of an object whatever the version of its API", () => {
    const [alpha, stable] = ["v1alpha1", "v1"].flatMap((version) =>
      keysOf(`{apiVersion: tulle.dev/${version}, kind: TrafficSplit, metadata: {name: a}}`),
    );
    expect(alpha).toBe(stable);
  });
});

describe("lines", () => {
  const text = `kind: X
---
apiVersion: tulle.dev/v1alpha1
kind: TrafficSplit
metadata:
  name: catalog
  annotations:
    a.b/c: "1"
spec:
  backends:
    - service: v1
      weight: 90
    - service: v2
      weight: -1
`;
  const { origin } = parseManifest(text, "a.yaml").objects[0] ?? { origin: undefined };

  it("finds the line of an object and of each of its fields", () => {
    expect(origin?.line).toBe(3);
    expect(origin?.lineOf("spec.backends[1].weight")).toBe(14);
    expect(origin?.lineOf("spec.backends[1]")).toBe(13);
    expect(origin?.lineOf('metadata.annotations["a.b/c"]')).toBe(8);
  });

  it("finds the nearest field above one that is missing", () => {
    expect(origin?.lineOf("spec.service")).toBe(9);
    expect(origin?.lineOf("spec.backends[7].weight")).toBe(10);
    expect(origin?.lineOf("")).toBe(3);
  });

  it("finds fields in the items of a list", () => {
    const list =
      "kind: List\nitems:\n- kind: Service\n  apiVersion: v1\n  metadata:\n    name: a\n  spec:\n    type: X\n";
    expect(parseManifest(list, "a.yaml").objects[0]?.origin.lineOf("spec.type")).toBe(8);
  });
});

describe("bad input", () => {
  it("names the line of malformed YAML, and keeps the good documents", () => {
    const text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\nspec:\n  a: [1, 2\n";
    expect(keysOf(text)).toEqual(["Service default/a"]);
    expect(problemsOf(text).join()).toMatch(/^a\.yaml:6: not readable as YAML: /);
    expect(parseManifest(text, "a.yaml").complete).toBe(false);
  });

  it("names the fields that every object must have", () => {
    expect(problemsOf("foo: 1\nkind: ''\n")).toEqual([
      "a.yaml:1 apiVersion: must be a non-empty string, got nothing",
      'a.yaml:2 kind: must be a non-empty string, got ""',
      "a.yaml:1 metadata: must be a mapping, got nothing",
    ]);
    expect(problemsOf("just text")).toEqual(['a.yaml:1: must be a Kubernetes object, got "just text"']);
    expect(problemsOf("{apiVersion: v1, kind: Pod, metadata: {name: a/b}}")).toEqual([
      'a.yaml:1 metadata.name: must be a Kubernetes name, got "a/b"',
    ]);
  });

  it("refuses a label that YAML does not read as a string", () => {
    expect(problemsOf("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    version: 1\n")).toEqual([
      "a.yaml:6 metadata.labels.version: must be a string, got 1; quote it",
    ]);
  });

  it("refuses a key that is given twice", () => {
    expect(problemsOf("apiVersion: v1\nkind: Pod\nkind: Service\nmetadata: {name: a}\n")).toEqual([
      'a.yaml:3: not readable as YAML: the key "kind" is given twice',
    ]);
  });

  it("refuses a tag that it does not know", () => {
    expect(problemsOf("apiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: !include a\r\n")).toEqual([
      "a.yaml:4: not readable as YAML: Unresolved tag: !include",
    ]);
  });

  it("refuses an alias without anchor", () => {
    expect(problemsOf("apiVersion: v1\nkind: *x\n")).toEqual([
      "a.yaml:2: not readable as YAML: no anchor &x before this alias",
    ]);
  });
});

describe("hostile input", () => {
  const object = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";

  it("expands aliases and merge keys", () => {
    const text = `${object}spec:\n  base: &base {a: 1, b: 2}\n  same: *base\n  more: {<<: *base, b: 3}\n`;
    expect(parseManifest(text, "a.yaml").objects[0]?.spec).toEqual({
      base: { a: 1, b: 2 },
      same: { a: 1, b: 2 },
      more: { a: 1, b: 3 },
    });
  });

  it.each([
    ["aliases", (n: number) => `l${n}: &l${n} [${`*l${n - 1}, `.repeat(9)}*l${n - 1}]`],
    ["merge keys", (n: number) => `l${n}: &l${n} {<<: [${`*l${n - 1}, `.repeat(9)}*l${n - 1}], k${n}: 1}`],
  ])("limits what %s multiply", (_, level) => {
    const levels = Array.from({ length: 30 }, (_, n) => level(n + 1)).join("\n");
    expect(problemsOf(`${object}l0: &l0 {a: 1}\n${levels}\n`).join()).toContain("expands to more than 100000 values");
  });

  it("limits how deep values nest", () => {
    expect(problemsOf(`${object}spec: ${"[".repeat(200)}${"]".repeat(200)}\n`).join()).toContain("nests deeper than");
    expect(problemsOf(`${object}spec: ${"[".repeat(50_000)}`)).toEqual([
      "a.yaml:4: not readable as YAML: nests too deeply to be read",
    ]);
  });

  it("reads a wide mapping in linear time", () => {
    const entries = Array.from({ length: 50_000 }, (_, n) => `  k${n}: 1`).join("\n");
    expect(problemsOf(`${object}spec:\n${entries}\n`)).toEqual([]);
  });

  it("treats __proto__ like any other key", () => {
    const { objects } = parseManifest(`${object}spec: {__proto__: {type: ExternalName}}\n`, "a.yaml");
    const spec = objects[0]?.spec as Record<string, unknown>;
    expect(spec["type"]).toBeUndefined();
    expect(Object.keys(spec)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["type"]).toBeUndefined();
  });
});
