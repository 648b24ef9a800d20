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
/** A control plane that nobody can see: only the mesh link is judged. */
const unseen = { pods: [], namespaceLabels: {} };
const verdicts = (...policies: Fields[]) => judgePolicies(policies, web, unseen).map(({ verdict }) => verdict);

describe("a NetworkPolicy", () => {
  it.each([
    ["admits the port itself", onPort(15_008)],
    ["admits a range with it", onPort(15_000, { endPort: 16_000 })],
    ["admits all ports of TCP", { ingress: [{ ports: [{ protocol: "TCP" }] }] }],
    ["admits all ports", { ingress: [{ from: [{ podSelector: {} }] }] }],
    ["lets nobody out but to DNS", { policyTypes: ["Egress"], egress: [{ ports: [{ port: 53, protocol: "UDP" }] }] }],
    ["lets nobody in, as is meant", { policyTypes: ["Ingress"] }],
    ["has rules for egress that do not hold", { policyTypes: ["Ingress"], egress: [{ ports: [{ port: 80 }] }] }],
  ])("passes if it %s", (_case, spec) => {
    expect(verdicts(policy("a", spec))).toEqual(["ok"]);
  });

  it.each([
    ["another port", onPort(8_080)],
    ["a port by its name", onPort("http")],
    ["a range beside it", onPort(15_000, { endPort: 15_007 })],
    ["it for UDP", onPort(15_008, { protocol: "UDP" })],
  ])("fails if it admits only %s", (_case, spec) => {
    expect(verdicts(policy("a", spec))).toEqual(["fail"]);
  });

  it("is fixed rule by rule, both ways", () => {
    const ports = [{ port: 80 }];
    const found = judgePolicies(
      [policy("a", { ingress: [{}, { ports }], egress: [{ ports, to: [{ podSelector: {} }] }] })],
      web,
      unseen,
    );
    expect(found.map(({ says }) => says)).toEqual(["shop/a: egress rule 1 does not admit TCP 15008, for 1 meshed pod"]);
    expect(found[0]?.fix).toBe(
      `kubectl -n shop patch networkpolicy a --type json -p '[{"op":"add","path":"/spec/egress/0/ports/-","value":{"port":15008,"protocol":"TCP"}}]'`,
    );
  });

  it("may leave the mesh link to another policy, but only for the same peers", () => {
    const from = [{ podSelector: { matchLabels: { app: "web" } } }];
    const narrow = policy("a", { ingress: [{ from, ports: [{ port: 80 }] }] });
    const same = policy("b", { ingress: [{ from, ports: [{ port: 15_008 }] }] });
    const other = policy("c", { ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 15_008 }] }] });
    expect(verdicts(narrow, same)).toEqual(["ok"]);
    expect(verdicts(narrow, other)).toEqual(["fail"]);
  });

  it("concerns only the meshed pods that it selects", () => {
    const spec = { podSelector: { matchLabels: { app: "web" } }, ...onPort(80) };
    expect(judgePolicies([policy("a", spec)], [pod("db-1", { app: "db" })], unseen)[0]?.verdict).toBe("ok");
    expect(judgePolicies([policy("a", spec)], [], unseen)[0]?.verdict).toBe("ok");
  });
});

describe("the way to the control plane", () => {
  const labels = { "app.kubernetes.io/name": "tulle", "app.kubernetes.io/component": "control-plane" };
  const replica = { metadata: { namespace: "tulle-system", name: "cp-1", labels }, status: { podIP: "10.9.0.4" } };
  const namespaceLabels = { "kubernetes.io/metadata.name": "tulle-system" };
  const link = { ports: [{ port: 15_008 }] };
  const judged = (...policies: Fields[]) => judgePolicies(policies, web, { pods: [replica], namespaceLabels });
  const toPorts = (...ports: unknown[]) => ports.map((port) => ({ port, protocol: "TCP" }));

  it.each([
    ["all ports everywhere", [{}]],
    ["both ports everywhere", [link, { ports: toPorts(15_010, 15_012) }]],
    ["both ports by their names", [link, { ports: toPorts("discovery", "identity") }]],
    ["each by a rule of its own", [{ ports: [{ port: 15_000, endPort: 15_010 }] }, { ports: toPorts(15_012) }]],
    ["its namespace", [link, { to: [{ namespaceSelector: { matchLabels: namespaceLabels } }] }]],
    ["its pods", [link, { to: [{ namespaceSelector: {}, podSelector: { matchLabels: labels } }] }]],
    ["its addresses", [link, { to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.8.0.0/16"] } }] }]],
  ])("is open if egress admits %s", (_case, egress) => {
    expect(judged(policy("a", { policyTypes: ["Egress"], egress })).map(({ verdict }) => verdict)).toEqual(["ok"]);
  });

  it.each([
    ["nothing", { policyTypes: ["Egress"] }, "15010 and 15012"],
    ["one of the ports", { egress: [link, { ports: toPorts(15_012) }] }, "15010"],
    ["its own namespace", { egress: [{ to: [{ podSelector: {} }] }] }, "15010 and 15012"],
    [
      "other addresses",
      { egress: [{ to: [{ ipBlock: { cidr: "10.9.0.0/16", except: ["10.9.0.4/32"] } }] }] },
      "15010 and",
    ],
    ["addresses of the other family", { egress: [{ to: [{ ipBlock: { cidr: "fd00::/8" } }] }] }, "15010 and 15012"],
  ])("is cut off if egress admits only %s", (_case, spec, ports) => {
    const found = judged(policy("a", spec));
    expect(found.map(({ verdict }) => verdict)).toEqual(["fail"]);
    expect(found[0]?.says).toContain(`shop/a: egress does not admit TCP ${ports}`);
  });

  it("is not affected by policies for ingress, and may be opened by another policy", () => {
    expect(judged(policy("a", { policyTypes: ["Ingress"] }))[0]?.verdict).toBe("ok");
    const [none, all] = [policy("a", { policyTypes: ["Egress"] }), policy("b", { egress: [{}] })];
    expect(judged(none, all)[0]?.verdict).toBe("ok");
  });

  it("is opened by the printed patch", () => {
    const cutOff = policy("a", { policyTypes: ["Egress"], egress: [link] });
    const [found] = judged(cutOff);
    const [, patch = ""] = /-p '(.*)'$/.exec(found?.fix ?? "") ?? [];
    const [{ path, value }] = JSON.parse(patch) as [{ path: string; value: unknown }];
    expect(path).toBe("/spec/egress/-");
    expect(judged(policy("a", { policyTypes: ["Egress"], egress: [link, value] }))[0]?.verdict).toBe("ok");
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
