import { expect, it } from "vitest";
import { joinAddress, splitAddress } from "../../model/address.ts";

it.each([
  ["orders.shop:80", "orders.shop", 80],
  ["10.1.2.3:8080", "10.1.2.3", 8080],
  ["[fd00::7]:8080", "fd00::7", 8080],
  ["orders", "orders", undefined],
  ["[::1]", "::1", undefined],
  ["orders:65535", "orders", 65_535],
  [":80", "", 80],
  ["", "", undefined],
])("splits %j", (address, host, port) => {
  expect(splitAddress(address)).toEqual({ host, port });
});

it.each(["orders:", "orders:0", "orders:65536", "orders:080808", "orders:+80", "orders:8o"])(
  "finds no port in %s",
  (address) => {
    expect(splitAddress(address)).toEqual({ host: "orders", port: undefined });
  },
);

it.each(["::1", "::1:80", "fe80::1:80", "[orders]:80", "[10.1.2.3]:80", "[::1", "::1]:80", "[[::1]]:80", "a:b:80"])(
  "reads no host from %s: brackets belong to IPv6, and IPv6 into brackets",
  (address) => {
    expect(splitAddress(address).host).toBe("");
  },
);

it("joins what it splits", () => {
  for (const [host, port] of [
    ["orders", 80],
    ["10.1.2.3", 8080],
    ["fd00::7", 1],
  ] as const) {
    expect(splitAddress(joinAddress(host, port))).toEqual({ host, port });
  }
});
