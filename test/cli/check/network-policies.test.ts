import { describe, expect, it } from "vitest";
import { isSelected } from "../../../cli/check/label-selector.ts";
import { judgePolicies } from "../../../cli/check/network-policies.ts";

type Fields = Readonly<Record<string, unknown>>;

const pod = (name: string, labels: Fields): Fields => ({ metadata: { namespace: "shop", name, labels } });

const policy = (name: string, spec: Fields): Fields => ({
  metadata: { namespace: "shop", name },
  spec: { podSelector: {}, ...spec },
});

const web = [pod("web-1", { app: "web" })];

const onPort = (port: unknown, more: Fields = {}) => ({ ingress: [{ ports: [{ port, ...more }] }] });
const verdicts = (...policies: Fields[]) => judgePolicies(policies, web).map(({ verdict }) => verdict);

describe("a NetworkPolicy", () => {
  it.each([
    ["admits the port itself", onPort(15_008)],
    ["admits a range with it", onPort(15_000, { endPort: 16_000 })],
    ["admits all ports of TCP", { ingress: [{ ports: [{ protocol: "TCP" }] }] }],
    ["admits all ports", { ingress: [{ from: [{ podSelector: {} }] }] }],
    ["lets nobody in, as is meant", { policyTypes: ["Ingress"] }],
    ["has rules for egress that do not hold", { policyTypes: ["Ingress"], egress: [{ ports: [{ port: 80 }] }] }],
  ])("is fine where it %s", (_case, spec) => {
    expect(verdicts(policy("a", spec))).toEqual(["ok"]);
  });

  it.each([
    ["another port", onPort(8_080)],
    ["a port by its name", onPort("http")],
    ["a range beside it", onPort(15_000, { endPort: 15_007 })],
    ["it for UDP", onPort(15_008, { protocol: "UDP" })],
  ])("cuts off where it admits only %s", (_case, spec) => {
    expect(verdicts(policy("a", spec))).toEqual(["fail"]);
  });

  it("is mended rule by rule, both ways", () => {
    const ports = [{ port: 80 }];
    const found = judgePolicies(
      [policy("a", { ingress: [{}, { ports }], egress: [{ ports, to: [{ podSelector: {} }] }] })],
      web,
    );
    expect(found.map(({ says }) => says)).toEqual(["shop/a: egress rule 1 does not admit TCP 15008, for 1 meshed pod"]);
    expect(found[0]?.fix).toBe(
      `kubectl -n shop patch networkpolicy a --type json -p '[{"op":"add","path":"/spec/egress/0/ports/-","value":{"port":15008,"protocol":"TCP"}}]'`,
    );
  });

  it("may leave the link to another policy, for the same peers only", () => {
    const from = [{ podSelector: { matchLabels: { app: "web" } } }];
    const narrow = policy("a", { ingress: [{ from, ports: [{ port: 80 }] }] });
    const same = policy("b", { ingress: [{ from, ports: [{ port: 15_008 }] }] });
    const other = policy("c", { ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 15_008 }] }] });
    expect(verdicts(narrow, same)).toEqual(["ok"]);
    expect(verdicts(narrow, other)).toEqual(["fail"]);
  });

  it("concerns meshed pods that it selects, and no other", () => {
    const spec = { podSelector: { matchLabels: { app: "web" } }, ...onPort(80) };
    expect(judgePolicies([policy("a", spec)], [pod("db-1", { app: "db" })])[0]?.verdict).toBe("ok");
    expect(judgePolicies([policy("a", spec)], [])[0]?.verdict).toBe("ok");
  });
});

describe("a label selector", () => {
  const labels = { app: "web", tier: "front" };
  const by = (operator: string, key: string, values?: string[]) => ({ matchExpressions: [{ key, operator, values }] });

  it.each([
    [{}, true],
    [undefined, true],
    [{ matchLabels: { app: "web", tier: "front" } }, true],
    [{ matchLabels: { app: "db" } }, false],
    [by("In", "app", ["db", "web"]), true],
    [by("In", "nothing", ["web"]), false],
    [by("NotIn", "app", ["web"]), false],
    [by("NotIn", "nothing", ["web"]), true],
    [by("Exists", "tier"), true],
    [by("Exists", "toString"), false],
    [by("DoesNotExist", "tier"), false],
    [by("Unheard", "tier"), false],
  ])("%j selects: %s", (selector, selected) => {
    expect(isSelected(selector, labels)).toBe(selected);
  });
});
