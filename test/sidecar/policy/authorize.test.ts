import { expect, it } from "vitest";
import type { NamedAccessRules } from "../../../model/policy.ts";
import type { InboundPort } from "../../../model/resources.ts";
import { authorize } from "../../../sidecar/policy/authorize.ts";
import { workloadId } from "../../support/authority.ts";
import { exchangeOf, RecordingCaller, RecordingUpstream } from "../../support/exchange.ts";

const getsOnly: NamedAccessRules = {
  name: "shop/orders",
  action: "allow",
  mode: "enforce",
  rules: [{ from: [{ kind: "namespace", namespace: "shop" }], methods: ["GET"], paths: [] }],
};
const noAdmin: NamedAccessRules = {
  name: "shop/no-admin",
  action: "deny",
  mode: "enforce",
  rules: [{ from: [], methods: [], paths: [{ kind: "prefix", value: "/admin" }] }],
};

/** What becomes of a request of `web`, and what was counted. */
function outcome(
  access: readonly NamedAccessRules[] | undefined,
  head: { method?: string; path?: string },
  peer: string | undefined = workloadId("web"),
): string[] {
  const counted: string[] = [];
  const caller = new RecordingCaller();
  const upstream = new RecordingUpstream();
  const exchange = exchangeOf(head);
  exchange.target = { port: 8080, protocol: "http1", ...(access && { access }) };
  exchange.peer = peer;
  const layer = authorize({
    trustDomain: "cluster.local",
    counts: {
      refused: (policy) => counted.push(`refused by ${policy}`),
      wouldRefuse: (policy) => counted.push(`${policy} would refuse`),
    },
  });
  const sink = layer(upstream.service)(exchange, caller);
  sink.writeRequest(Buffer.from("body"));
  sink.endRequest();
  return [...(upstream.calls.length > 0 ? ["admitted"] : caller.calls.map((call) => call.join(" "))), ...counted];
}

const anyone: NamedAccessRules = { ...getsOnly, rules: [{ from: [], methods: [], paths: [] }] };

/** What a caller without a certificate gets. */
function plaintext(target: InboundPort): RecordingCaller {
  const caller = new RecordingCaller();
  const exchange = exchangeOf();
  exchange.target = target;
  const counts = { refused: () => {}, wouldRefuse: () => {} };
  authorize({ trustDomain: "cluster.local", counts })(new RecordingUpstream().service)(exchange, caller);
  return caller;
}

it("admits everything if no policy applies", () => {
  expect(outcome(undefined, {})).toEqual(["admitted"]);
});

it("admits what an allow rule matches, and lets the application see nothing of the rest", () => {
  expect(outcome([getsOnly], {})).toEqual(["admitted"]);
  expect(outcome([getsOnly], { method: "POST" })).toEqual(["abort forbidden", "refused by "]);
  expect(outcome([getsOnly], {}, "spiffe://cluster.local/ns/books/sa/web")).toEqual(["abort forbidden", "refused by "]);
});

it("names the deny rule that refused, and compares the path without its query", () => {
  expect(outcome([noAdmin], { path: "/admin/x?y=/z" })).toEqual(["abort forbidden", "refused by shop/no-admin"]);
  expect(outcome([noAdmin], { path: "/x?y=/admin" })).toEqual(["admitted"]);
});

it("refuses a path that can be read in two ways if a rule compares paths", () => {
  expect(outcome([noAdmin], { path: "/x/..%2fadmin" })).toEqual(["abort path_ambiguous"]);
  expect(outcome([getsOnly], { path: "/x/..%2fadmin" })).toEqual(["admitted"]);
});

it("never admits a tunnel by a rule with a method or a path, but refuses one by such a deny rule", () => {
  expect(outcome([getsOnly], { method: "CONNECT", path: "" })).toEqual(["abort forbidden", "refused by "]);
  expect(outcome([noAdmin], { method: "CONNECT", path: "" })).toEqual(["abort forbidden", "refused by shop/no-admin"]);
});

it("accepts no plaintext if mTLS is strict, whatever the rules say", () => {
  const { calls } = plaintext({ port: 8080, protocol: "http1", mtls: "strict", access: [anyone] });
  expect(calls).toEqual([["abort", "forbidden"]]);
  expect(plaintext({ port: 8080, protocol: "http1", access: [anyone] }).calls).toEqual([]);
});

it("counts what a policy in audit mode would have refused, and admits it", () => {
  expect(outcome([{ ...noAdmin, mode: "audit" }], { path: "/admin" })).toEqual([
    "admitted",
    "shop/no-admin would refuse",
  ]);
});
