import fc from "fast-check";
import { expect, it } from "vitest";
import type { RequestHead } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { GraphqlReader, mayBeGraphql } from "../../../sidecar/telemetry/graphql-operation.ts";
import { cpuMsOf } from "../../support/cpu-time.ts";
import { exchangeOf } from "../../support/exchange.ts";

function post(head: Partial<RequestHead> = {}, type = "application/json") {
  return exchangeOf({ method: "POST", path: "/graphql", headers: new HeaderFields(["content-type", type]), ...head });
}

function read(body: string, type?: string, chunkBytes = 7) {
  const exchange = post({}, type);
  const reader = new GraphqlReader(exchange);
  const bytes = Buffer.from(body);
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.read(bytes.subarray(at, at + chunkBytes));
  return reader.operation(exchange);
}

const readQuery = (query: string, operationName?: string) => read(JSON.stringify({ query, operationName }));

it.each([
  ["{ articles { id } }", undefined, "query", undefined],
  ["query { articles { id } }", undefined, "query", undefined],
  ["query Articles($first: Int = 3) { articles(first: $first) { id } }", undefined, "query", "Articles"],
  ["mutation Pay @slow(by: {ms: 5}) { pay { id } }", undefined, "mutation", "Pay"],
  ["subscription($id: ID!) { paid(id: $id) { id } }", undefined, "subscription", undefined],
  ["# query No { a }\nmutation Yes { a }", undefined, "mutation", "Yes"],
  ["fragment F on Article { query { id } } query A { a { ...F } }", undefined, "query", "A"],
  ["query A { a } mutation B { b } query C { c }", "B", "mutation", "B"],
  ["query A { a } mutation B { b }", "missing", "query", "A"],
  ['query A { a(text: "} mutation B {", more: """ "} mutation B { """) } query C { c }', "C", "query", "C"],
  ["query query { mutation { id } }", undefined, "query", "query"],
])("finds in %s (%s) a %s named %s", (query, wanted, type, name) => {
  expect(readQuery(query, wanted)).toEqual({ type, name });
});

it("finds it wherever the fields are, and in a body that is too long to be read completely", () => {
  const variables = { query: "mutation Wrong { a }", list: [{ operationName: "Wrong" }] };
  expect(read(JSON.stringify({ variables, operationName: "B", query: "query A { a } query B { b }" }))).toEqual({
    type: "query",
    name: "B",
  });
  const long = `mutation Long { pay(text: "${"é".repeat(50_000)}") }`;
  expect(readQuery(long)).toEqual({ type: "mutation", name: "Long" });
  expect(read(JSON.stringify({ variables: { text: "x".repeat(50_000) }, query: "{ a }" }))).toBeUndefined();
});

it("reads a body that is the document itself, and a query in the URL", () => {
  expect(read("mutation Plain { a }", "application/graphql; charset=utf-8")).toEqual({
    type: "mutation",
    name: "Plain",
  });
  const get = exchangeOf({ path: `/graphql?query=${encodeURIComponent("query Got { a }")}` });
  expect([mayBeGraphql(get), new GraphqlReader(get).operation(get)]).toEqual([true, { type: "query", name: "Got" }]);
});

it("reads only what may be GraphQL", () => {
  expect(mayBeGraphql(post())).toBe(true);
  expect(mayBeGraphql(post({ path: "/api/graphql?x=1" }))).toBe(true);
  expect(mayBeGraphql(post({ path: "/orders" }))).toBe(false);
  expect(mayBeGraphql(post({ path: "/orders" }, "application/graphql"))).toBe(true);
  expect(mayBeGraphql(post({}, "text/plain"))).toBe(false);
  expect(read("[1, 2")).toBeUndefined();
  expect(read("")).toBeUndefined();
});

it("accepts any input, and ends soon", () => {
  const pieces = fc.constantFrom(
    "{",
    "}",
    '"',
    "\\",
    ":",
    ",",
    "query",
    "operationName",
    '"""',
    "#",
    "\n",
    "(",
    "[",
    "a",
  );
  const bodies = fc.array(pieces, { maxLength: 3_000 }).map((words) => words.join(""));
  fc.assert(
    fc.property(bodies, fc.constantFrom("application/json", "application/graphql"), (body, type) => {
      expect(cpuMsOf(() => read(body, type, 4_096))).toBeLessThan(500);
    }),
    { numRuns: 200 },
  );
});
