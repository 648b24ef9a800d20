import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AccessRequest, AccessTable, effectiveMtls, mtlsLevelOf } from "../../model/access.ts";
import type { AccessRule, NamedAccessRules } from "../../model/policy.ts";

const orders = "spiffe://cluster.local/ns/shop/sa/orders";
const rule: AccessRule = { from: [], methods: [], paths: [] };
const fromOrders: AccessRule = { ...rule, from: [{ kind: "identity", id: orders }] };

function allow(name: string, ...rules: AccessRule[]): NamedAccessRules {
  return { name, action: "allow", mode: "enforce", rules };
}

function deny(name: string, ...rules: AccessRule[]): NamedAccessRules {
  return { ...allow(name, ...rules), action: "deny" };
}

function audit(policy: NamedAccessRules): NamedAccessRules {
  return { ...policy, mode: "audit" };
}

function request(peer: string | undefined = orders, method = "GET", path = "/"): AccessRequest {
  return { peer, http: { method, path } };
}

function decide(asked: AccessRequest, ...policies: NamedAccessRules[]): string {
  const verdict = new AccessTable(policies, "cluster.local").decide(asked);
  switch (verdict.kind) {
    case "admitted":
      return verdict.wouldRefuse === undefined ? "admitted" : `admitted, ${verdict.wouldRefuse} would refuse`;
    case "refused":
      return verdict.by === undefined ? "refused" : `refused by ${verdict.by}`;
    case "ambiguous-path":
      return verdict.kind;
  }
}

describe("policies add up", () => {
  it("admits if none selects the port", () => {
    expect(decide(request())).toBe("admitted");
  });

  it("admits what no deny matches if there is no allow", () => {
    expect(decide(request(), deny("d", { ...rule, methods: ["POST"] }))).toBe("admitted");
  });

  it("admits what an allow matches, and refuses the rest", () => {
    expect(decide(request(), allow("a", { ...rule, methods: ["POST"] }), allow("b", fromOrders))).toBe("admitted");
    expect(decide(request(), allow("b", fromOrders), allow("a", { ...rule, methods: ["POST"] }))).toBe("admitted");
    expect(decide(request(), allow("a", { ...rule, methods: ["POST"] }))).toBe("refused");
  });

  it("lets a deny win over any allow, wherever it stands", () => {
    expect(decide(request(), allow("a", rule), deny("d", fromOrders))).toBe("refused by d");
    expect(decide(request(), deny("d", fromOrders), allow("a", rule))).toBe("refused by d");
  });

  it("admits nobody by an allow without rules, and denies nobody by a deny without rules", () => {
    expect(decide(request(), allow("a"))).toBe("refused");
    expect(decide(request(), deny("d"))).toBe("admitted");
  });
});

describe("a policy in audit mode", () => {
  it("decides nothing, and says what it would have refused", () => {
    expect(decide(request(), audit(deny("d", rule)))).toBe("admitted, d would refuse");
    expect(decide(request(), audit(allow("a", { ...rule, methods: ["POST"] })))).toBe("admitted, a would refuse");
    expect(decide(request(), audit(allow("a", rule)))).toBe("admitted");
  });

  it("does not admit what others refuse", () => {
    expect(decide(request(), audit(allow("a", rule)), allow("b"))).toBe("refused");
  });
});

describe("a caller", () => {
  function admits(from: AccessRule["from"][number], peer: string | undefined): boolean {
    return decide(request(peer), allow("a", { ...rule, from: [from] })) === "admitted";
  }

  it("is known by its exact identity", () => {
    const identity = { kind: "identity", id: orders } as const;
    expect(admits(identity, orders)).toBe(true);
    expect(admits(identity, `${orders}x`)).toBe(false);
    expect(admits(identity, orders.toUpperCase())).toBe(false);
  });

  it("is known by its namespace, of this mesh unless another is named", () => {
    const namespace = { kind: "namespace", namespace: "shop" } as const;
    expect(admits(namespace, orders)).toBe(true);
    expect(admits(namespace, "spiffe://cluster.local/ns/shopping/sa/orders")).toBe(false);
    expect(admits(namespace, "spiffe://other.example/ns/shop/sa/orders")).toBe(false);
    expect(admits({ ...namespace, trustDomain: "other.example" }, "spiffe://other.example/ns/shop/sa/orders")).toBe(
      true,
    );
    expect(admits({ ...namespace, trustDomain: "other.example" }, orders)).toBe(false);
  });

  it("is known by its trust domain", () => {
    expect(admits({ kind: "trust-domain", trustDomain: "cluster.local" }, orders)).toBe(true);
    expect(admits({ kind: "trust-domain", trustDomain: "cluster.loca" }, orders)).toBe(false);
  });

  it("without a certificate is nobody, and matches only rules for anyone", () => {
    const plain: AccessRequest = { peer: undefined, http: { method: "GET", path: "/" } };
    expect(decide(plain, allow("a", { ...rule, from: [{ kind: "trust-domain", trustDomain: "cluster.local" }] }))).toBe(
      "refused",
    );
    expect(decide(plain, allow("a", rule))).toBe("admitted");
  });
});

describe("a path", () => {
  const admin = deny("d", { ...rule, paths: [{ kind: "prefix", value: "/admin" }] });

  it.each(["/admin", "/admin/", "/admin/x"])("%s is matched", (path) => {
    expect(decide(request(orders, "GET", path), admin)).toBe("refused by d");
  });

  it.each(["/", "/administrator", "/x/admin"])("%s is not matched", (path) => {
    expect(decide(request(orders, "GET", path), admin)).toBe("admitted");
  });

  it.each([
    "/%61dmin",
    "//admin",
    "/x/../admin",
    "/x/%2e%2e/admin",
    "/x%2f..%2fadmin",
    "/x\\..\\admin",
    "/admin;x=1",
    "/%2561dmin",
    "/admin%00",
    "/%c0%aeadmin",
  ])("%s is refused as ambiguous", (path) => {
    expect(decide(request(orders, "GET", path), admin)).toBe("ambiguous-path");
  });

  it("may be ambiguous if no path rule is in force", () => {
    expect(decide(request(orders, "GET", "/a//b"), deny("d", { ...rule, methods: ["POST"] }))).toBe("admitted");
    expect(decide(request(orders, "GET", "/a//b"), audit(admin))).toBe("admitted");
  });

  it("can neither be opened nor left open by a pattern that does not compile", () => {
    const broken: AccessRule = { ...rule, paths: [{ kind: "regex", value: "(" }] };
    expect(decide(request(), allow("a", broken))).toBe("refused");
    expect(decide(request(), deny("d", broken))).toBe("refused by d");
  });

  it("in any form never gets past a deny", () => {
    const piece = fc.constantFrom(
      "/",
      "admin",
      "%61dmin",
      "x",
      "..",
      ".",
      "%2e%2e",
      "%2f",
      "%5c",
      "\\",
      ";",
      "%00",
      "%25",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const path = `/${pieces.join("")}`;
        const admitted = decide(request(orders, "GET", path), admin) === "admitted";
        // What a server might make of it at worst: everything decoded, every separator taken for one.
        const seen = decodeURIComponent(path.replaceAll("%25", "")).replaceAll("\\", "/");
        expect(admitted && new URL(`http://h${seen}`).pathname.startsWith("/admin/")).toBe(false);
      }),
    );
  });
});

describe("an opaque connection", () => {
  const tcp: AccessRequest = { peer: orders };

  it("is judged by its caller", () => {
    expect(decide(tcp, allow("a", fromOrders))).toBe("admitted");
    expect(decide(tcp, deny("d", fromOrders))).toBe("refused by d");
  });

  it("matches a deny with a method or path, but no such allow", () => {
    expect(decide(tcp, deny("d", { ...rule, methods: ["POST"] }))).toBe("refused by d");
    expect(decide(tcp, allow("a", { ...fromOrders, paths: [{ kind: "prefix", value: "/" }] }))).toBe("refused");
  });
});

describe("mtls", () => {
  it("is permissive by default", () => {
    expect(effectiveMtls([])).toBe("permissive");
  });

  it("is that of the narrowest level", () => {
    const settings = [
      { level: "mesh", mtls: "strict" },
      { level: "namespace", mtls: "permissive" },
    ] as const;
    expect(effectiveMtls(settings)).toBe("permissive");
    expect(effectiveMtls([...settings, { level: "workload", mtls: "strict" }])).toBe("strict");
    expect(
      effectiveMtls([...settings, { level: "port", mtls: "permissive" }, { level: "workload", mtls: "strict" }]),
    ).toBe("permissive");
  });

  it("is strict if one level says both", () => {
    const both = [
      { level: "port", mtls: "permissive" },
      { level: "port", mtls: "strict" },
    ] as const;
    expect(effectiveMtls(both)).toBe("strict");
    expect(effectiveMtls(both.toReversed())).toBe("strict");
  });

  it("has the level of what narrows the policy most", () => {
    expect(mtlsLevelOf({}, false, true)).toBe("mesh");
    expect(mtlsLevelOf({}, false, false)).toBe("namespace");
    expect(mtlsLevelOf({}, true, false)).toBe("workload");
    expect(mtlsLevelOf({ labels: [["app", "x"]] }, false, true)).toBe("workload");
    expect(mtlsLevelOf({ ports: [80] }, true, false)).toBe("port");
  });
});
