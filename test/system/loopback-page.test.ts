import { expect, it } from "vitest";
import { isLoopback } from "../../system/loopback-page.ts";

it.each(["127.0.0.1", "127.64.3.2", "::1", "::ffff:127.0.0.1"])("accepts %s as loopback", (address) => {
  expect(isLoopback(address)).toBe(true);
});

it.each(["", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "127.evil.example", "localhost.evil.example", "1270.0.0.1"])(
  "does not accept %s as loopback",
  (address) => {
    expect(isLoopback(address)).toBe(false);
  },
);
