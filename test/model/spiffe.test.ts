import { expect, it } from "vitest";
import { formatSpiffeId, isTrustDomain, parseSpiffeId } from "../../model/spiffe.ts";

it.each(["spiffe://cluster.local/ns/shop/sa/orders", "spiffe://td_1.example-x/ns/a/sa/build.bot-7"])(
  "reads %s and writes it again",
  (text) => {
    const id = parseSpiffeId(text);
    expect(id.ok).toBe(true);
    expect(id.ok && formatSpiffeId(id.value)).toBe(text);
  },
);

it.each([
  "spiffe://cluster.local/ns/shop/sa/orders/",
  "spiffe://cluster.local/ns/shop/sa/",
  "spiffe://cluster.local/ns/shop",
  "spiffe://cluster.local/ns/shop/sa/orders/x",
  "spiffe://cluster.local/ns/sho%2Fp/sa/orders",
  "spiffe://cluster.local//ns/shop/sa/orders",
  "spiffe://cluster.local/ns/Shop/sa/orders",
  "SPIFFE://cluster.local/ns/shop/sa/orders",
  "spiffe://Cluster.local/ns/shop/sa/orders",
  "spiffe://cluster.local:443/ns/shop/sa/orders",
  "spiffe://user@cluster.local/ns/shop/sa/orders",
  "spiffe:///ns/shop/sa/orders",
  "spiffe://cluster.local/ns/shop/sa/orders?x",
  "spiffe://cluster.local/ns/shop/sa/orders#x",
  "spiffe://cluster.local/ns/shop/sa/orders\0",
  "spiffe://cluster.local/ns/shop/sa/orders\n",
  " spiffe://cluster.local/ns/shop/sa/orders",
  "spiffe://cluster.local/ns/../sa/orders",
  "spiffe://cluster.local/ns/shop/sa/-orders",
  `spiffe://cluster.local/ns/${"a".repeat(64)}/sa/orders`,
  `spiffe://cluster.local/ns/shop/sa/${"a.".repeat(127)}`,
  "https://cluster.local/ns/shop/sa/orders",
])("refuses %j", (text) => {
  expect(parseSpiffeId(text).ok).toBe(false);
});

it("recognises a trust domain", () => {
  expect(isTrustDomain("cluster.local")).toBe(true);
  expect(isTrustDomain("Cluster.local")).toBe(false);
  expect(isTrustDomain("")).toBe(false);
});
