/**
 * The parsers and the API server use the same definitions, so they must give the same verdict on the same objects, about the
 * same field.
 */

import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ApiAnswer, type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { isRecord } from "../../../control-plane/source/kube-object.ts";
import { openApiOf, parsePolicy, policyKinds } from "../../../model/parse/policy.ts";
import { type PolicyKind, pluralOf } from "../../../model/policy-object.ts";
import type { FieldError } from "../../../model/result.ts";
import { SchemaValues } from "../../support/schema-values.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { nested, TestNamespace } from "./objects.ts";

const seed = 20_261_122;
const wanted = 200;

let api: ClusterApi;
let namespace: string;
beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  namespace = (await TestNamespace.create(api, "verdicts")).name;
});
afterAll(() => api.close());

interface Verdicts {
  readonly kind: PolicyKind;
  readonly spec: unknown;
  /** Empty: it is good. */
  readonly parser: readonly FieldError[];
  /** The fields that it complains of, and the words; empty: it is good. */
  readonly server: readonly FieldError[];
}

async function judge(kind: PolicyKind, spec: unknown): Promise<Verdicts> {
  const object = { apiVersion: "tulle.dev/v1alpha1", kind, metadata: { name: "it", namespace }, spec };
  const parsed = parsePolicy(object);
  const path = `/apis/tulle.dev/v1alpha1/namespaces/${namespace}/${pluralOf(kind)}`;
  const query = { dryRun: "All", fieldValidation: "Strict" };
  const answer = await api.request({ method: "POST", path, query, body: object });
  return { kind, spec, parser: parsed.ok ? [] : parsed.error, server: complaintsOf(answer) };
}

function complaintsOf({ status, body }: ApiAnswer): FieldError[] {
  if (status === 201) return [];
  const message = String(nested(body, "message"));
  const unknown = [...message.matchAll(/unknown field "([^"]+)"/g)].map(([, path = ""]) => ({ path, message }));
  const causes = (nested(body, "details", "causes") ?? []) as unknown[];
  const fields = causes.filter(isRecord).flatMap(({ field, message }) => {
    return typeof field === "string" && field !== "<nil>" ? [{ path: field, message: String(message) }] : [];
  });
  return [...unknown, ...fields, ...(unknown.length + fields.length === 0 ? [{ path: "", message }] : [])];
}

/** What no schema can say: whether a text is a regular expression, and whether two objects of a list are for the same. */
function onlyParsersKnow({ message }: FieldError): boolean {
  return /must be a regular expression|is given twice/.test(message);
}

describe("of random objects of every kind", () => {
  const good: Verdicts[] = [];
  const bad: Verdicts[] = [];
  const beyond: Verdicts[] = [];
  const disputed: Verdicts[] = [];

  beforeAll(async () => {
    const random = seededRandom(seed);
    const values = new SchemaValues(random);
    for (let turn = 0; good.length < wanted || bad.length < wanted; turn++) {
      const kind = policyKinds[turn % policyKinds.length];
      if (kind === undefined || turn > 5_000) throw new Error("too few of one sort");
      const schema = openApiOf(kind);
      const verdicts = await judge(kind, random() < 0.5 ? values.good(schema) : values.bad(schema));
      const { parser, server } = verdicts;
      if (parser.length === 0 && server.length === 0) good.push(verdicts);
      else if (parser.length > 0 && server.length > 0) bad.push(verdicts);
      else if (parser.length > 0 && parser.every(onlyParsersKnow)) beyond.push(verdicts);
      else disputed.push(verdicts);
    }
  }, 120_000);

  it(`${wanted} are good to both, and ${wanted} bad to both`, () => {
    expect(disputed.slice(0, 5)).toEqual([]);
    expect([good.length, bad.length].every((count) => count >= wanted)).toBe(true);
  });

  it("both complain of the same field", () => {
    const elsewhere = bad.filter(({ parser, server }) => {
      return !parser.every(onlyParsersKnow) && !server.some(({ path }) => parser.some((error) => error.path === path));
    });
    expect(elsewhere.slice(0, 5)).toEqual([]);
  });
});
