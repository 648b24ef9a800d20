import { describe, expect, it } from "vitest";
import { closedAccessPolicy } from "../../../model/parse/closed-access-policy.ts";
import { parsePolicy } from "../../../model/parse/policy.ts";
import { policyWarnings } from "../../../model/parse/warnings.ts";
import { errorsOf, parseSpec } from "../../support/policy-objects.ts";

it("is read in full", () => {
  const spec = {
    targetRefs: [{ kind: "Service", name: "payments" }],
    selector: { matchLabels: { version: "2", app: "payments" } },
    ports: [9090, 8080],
    action: "deny",
    mode: "audit",
    rules: [
      {
        from: [
          { identity: "spiffe://cluster.local/ns/ops/sa/probe" },
          { namespace: "shop" },
          { namespace: "shop", trustDomain: "other.example" },
          { trustDomain: "other.example" },
        ],
        methods: ["POST"],
        paths: [{ value: "/charges" }],
      },
      {},
    ],
    mtls: "strict",
  };
  expect(parseSpec("AccessPolicy", spec)).toEqual({
    ok: true,
    value: {
      labels: [
        ["app", "payments"],
        ["version", "2"],
      ],
      ports: [8080, 9090],
      access: {
        action: "deny",
        mode: "audit",
        rules: [
          {
            from: [
              { kind: "identity", id: "spiffe://cluster.local/ns/ops/sa/probe" },
              { kind: "namespace", namespace: "shop" },
              { kind: "namespace", namespace: "shop", trustDomain: "other.example" },
              { kind: "trust-domain", trustDomain: "other.example" },
            ],
            methods: ["POST"],
            paths: [{ kind: "prefix", value: "/charges" }],
          },
          { from: [], methods: [], paths: [] },
        ],
      },
      mtls: "strict",
    },
  });
});

it("may set mtls alone, or allow nobody", () => {
  expect(parseSpec("AccessPolicy", { mtls: "strict" })).toEqual({ ok: true, value: { mtls: "strict" } });
  expect(parseSpec("AccessPolicy", { rules: [] })).toEqual({
    ok: true,
    value: { access: { action: "allow", mode: "enforce", rules: [] } },
  });
});

it.each<[object, string]>([
  [{}, "spec.rules: is required, except where only mtls is set"],
  [{ action: "deny", mtls: "strict" }, "spec.rules: is required, except where only mtls is set"],
  [
    { rules: [{ from: [{}] }] },
    "spec.rules[0].from[0].identity: either identity, or namespace or trustDomain or both are required",
  ],
  [{ rules: [{ from: [] }] }, "spec.rules[0].from: must have at least 1 item, got 0"],
  [
    { rules: [{ from: [{ identity: "spiffe://cluster.local/ns/shop/sa/orders/" }] }] },
    'spec.rules[0].from[0].identity: must be spiffe://<trust domain>/ns/<namespace>/sa/<service account>, got "spiffe://cluster.local/ns/shop/sa/orders/"',
  ],
  [
    { rules: [{ from: [{ trustDomain: "Cluster.Local" }] }] },
    'spec.rules[0].from[0].trustDomain: must be a trust domain such as cluster.local, got "Cluster.Local"',
  ],
  [{ rules: [{ methods: ["get"] }] }, 'spec.rules[0].methods[0]: must be a method in upper case, got "get"'],
  [{ mtls: "STRICT" }, 'spec.mtls: must be one of strict, permissive, got "STRICT", did you mean strict?'],
  [{ mtls: "strict", ports: [80, 80] }, "spec.ports[1]: 80 is given twice, see spec.ports[0]"],
  [{ mtls: "strict", selector: { matchLabels: { app: 7 } } }, "spec.selector.matchLabels.app: must be a string, got 7"],
])("refuses %j", (spec, message) => {
  expect(errorsOf(parseSpec("AccessPolicy", spec))).toEqual([message]);
});

it("keeps labels of any name apart from its own fields", () => {
  const matchLabels = JSON.parse('{"__proto__": "x", "a.b/c": "y"}') as unknown;
  expect(errorsOf(parseSpec("AccessPolicy", { mtls: "strict", selector: { matchLabels } }))).toEqual([
    'spec.selector.matchLabels.__proto__: must be a label\'s name, got "__proto__"',
  ]);
});

it("warns if it has no rule", () => {
  const policy = {
    apiVersion: "tulle.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: "a" },
    spec: { rules: [] },
  };
  const parsed = parsePolicy(policy);
  expect(parsed.ok && policyWarnings(parsed.value)).toEqual([
    { path: "spec.rules", message: "without a rule this policy admits nobody" },
  ]);
});

it("warns of a path that is normalised to another, or that no request can have", () => {
  const values = ["/admin", "/a/../b", "/%61dmin", "/admin?all", "/a;b", "/caf%C3%A9", "/a%2Fb"];
  const paths = values.map((value) => ({ value }));
  const parsed = parsePolicy({
    apiVersion: "tulle.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name: "a" },
    spec: { action: "deny", rules: [{ paths: [...paths, { type: "RegularExpression", value: "/a;.*" }] }] },
  });
  const nothing = "matches nothing: no path that is served has such characters, and a query is no part of it";
  expect(parsed.ok && policyWarnings(parsed.value).map(({ path, message }) => `${path} ${message}`)).toEqual([
    'spec.rules[0].paths[1].value is read as "/b", its normal form',
    'spec.rules[0].paths[2].value is read as "/admin", its normal form',
    `spec.rules[0].paths[3].value ${nothing}`,
    `spec.rules[0].paths[4].value ${nothing}`,
    `spec.rules[0].paths[6].value ${nothing}`,
  ]);
});

describe("what stands in for an AccessPolicy that was never valid", () => {
  const nobody = { action: "allow", mode: "enforce", rules: [] };
  const orders = { kind: "Service", name: "orders" };

  it("applies to what the policy selects, as far as that can be read, and is not narrowed by the rest", () => {
    const spec = { targetRefs: [orders, { kind: "Pod" }], selector: { matchLabels: { a: 1 } }, ports: [80], rules: 1 };
    expect(closedAccessPolicy(spec)).toEqual({ targets: [orders], spec: { ports: [80], access: nobody } });
    expect(closedAccessPolicy({ ports: "80", rules: 1 })).toEqual({ targets: [], spec: { access: nobody } });
  });

  it("refuses everybody if the policy refused somebody, or may have", () => {
    for (const action of ["deny", "Deny"]) {
      const { access } = closedAccessPolicy({ action, rules: 1 })?.spec ?? {};
      expect(access).toEqual({ action: "deny", mode: "enforce", rules: [{ from: [], methods: [], paths: [] }] });
    }
  });

  it("refuses plaintext unless that was certainly permitted", () => {
    expect(closedAccessPolicy({ mtls: "yes" })?.spec).toEqual({ mtls: "strict" });
    expect(closedAccessPolicy({ mtls: "permissive", rules: 1 })?.spec).toEqual({ access: nobody });
  });

  it.each([
    [{ mode: "audit", rules: 1 }],
    [{ targetRefs: "orders" }],
    [{ targetRefs: [{}] }],
    [{ targets: [] }],
    ["x"],
  ])("does not exist for %j", (spec) => {
    expect(closedAccessPolicy(spec)).toBeUndefined();
  });
});
