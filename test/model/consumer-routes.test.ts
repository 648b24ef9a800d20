import { expect, it } from "vitest";
import { destinationFor } from "../../model/consumer-routes.ts";
import type { Destination, Route } from "../../model/resources.ts";

const route = (name: string): Route => ({ name, matches: [], backends: [], timeout: {} });
const producers = {
  name: "orders.shop.svc.cluster.local:80",
  service: { namespace: "shop", name: "orders" },
  protocol: "http1",
  routes: [route("producer")],
} as const;
const destination: Destination = { ...producers, consumers: [{ namespace: "web", routes: [route("consumer")] }] };

it("gives a namespace its own routes, and nothing of the producer's", () => {
  expect(destinationFor("web", destination)).toEqual({ ...producers, routes: [route("consumer")] });
});

it.each(["shop", "webs", ""])("gives all others the producer's: %s", (namespace) => {
  expect(destinationFor(namespace, destination)).toEqual(producers);
});
