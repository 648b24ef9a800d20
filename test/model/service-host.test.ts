import { expect, it } from "vitest";
import { destinationName } from "../../model/service-host.ts";

it.each([
  ["orders", "orders.web.svc.cluster.local:80"],
  ["orders.shop", "orders.shop.svc.cluster.local:80"],
  ["orders.shop.svc", "orders.shop.svc.cluster.local:80"],
  ["orders.shop.svc.cluster.local", "orders.shop.svc.cluster.local:80"],
  ["orders.shop.svc.cluster.local.", "orders.shop.svc.cluster.local:80"],
  ["Orders.SHOP.svc.Cluster.Local", "orders.shop.svc.cluster.local:80"],
  ["example.com", "example.com.svc.cluster.local:80"],
  ["db-0.db.shop", "db-0.db.shop.svc.cluster.local:80"],
  ["db-0.db.shop.svc", "db-0.db.shop.svc.cluster.local:80"],
  ["db-0.db.shop.svc.cluster.local", "db-0.db.shop.svc.cluster.local:80"],
  ["primary.db.shop.svc.cluster.local.", "primary.db.shop.svc.cluster.local:80"],
])("reads %s as %s", (host, name) => {
  expect(destinationName(host, 80, "web")).toBe(name);
});

it.each([
  "10.1.2.3",
  "::1",
  "[::1]",
  "fd00::10",
  "www.example.com",
  "a.b.c.d.e",
  "db-0.db.shop.",
  "x.db-0.db.shop.svc.cluster.local",
  "x.db-0.db.shop.svc",
  "shop.svc.cluster.local",
  "orders.",
  "orders.shop.",
  "localhost",
  "",
  ".",
  "a..b",
  "-a",
  "or_ders",
  "orders:80",
  `${"a".repeat(64)}.shop`,
])("reads %j as nothing in the cluster", (host) => {
  expect(destinationName(host, 80, "web")).toBeUndefined();
});

it("knows a cluster by its domain", () => {
  expect(destinationName("orders.shop.svc.corp.example", 80, "web", "corp.example")).toBe(
    "orders.shop.svc.corp.example:80",
  );
  expect(destinationName("orders", 8080, "web", "corp.example")).toBe("orders.web.svc.corp.example:8080");
  expect(destinationName("orders.shop.svc.cluster.local", 80, "web", "corp.example")).toBeUndefined();
});
