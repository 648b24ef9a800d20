import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AccessRule, NamedAccessRules, RateLimit } from "../../model/policy.ts";
import type { Destination, Endpoints, Resource } from "../../model/resources.ts";
import type { FieldError, Result } from "../../model/result.ts";
import { decodeName, decodeResource, decodeUpdate } from "../../proto/decode.ts";
import { encodeName, encodeResource, encodeUpdate } from "../../proto/encode.ts";
import type { Resource__Output } from "../../proto/generated/tulle/v1/Resource.ts";
import { arbitraryResource } from "../support/arbitrary-resources.ts";

function overTheWire(resource: Resource, spoil: (message: Resource__Output) => void = () => {}): Resource__Output {
  const [message] = decodeUpdate(encodeUpdate({ resources: [encodeResource(resource, "v1")] })).resources;
  if (message === undefined) throw new Error("no resource came back");
  spoil(message);
  return message;
}

const service = { namespace: "shop", name: "catalog" };

const destination: Destination = {
  name: "catalog.shop.svc.cluster.local:80",
  service,
  protocol: "http1",
  routes: [
    {
      name: "default",
      matches: [{ path: { kind: "prefix", value: "/a" }, headers: [{ name: "x", kind: "present", value: "" }] }],
      backends: [{ endpoints: "catalog.shop.svc.cluster.local:80", service, weight: 1 }],
      retry: {
        maxAttempts: 3,
        initialDelayMs: 100,
        backoffMultiplier: 2,
        maxDelayMs: 5_000,
        jitter: 0.2,
        retryOn: ["connect-failure", "503"],
        budget: { percent: 20, windowMs: 10_000, minRetriesPerSecond: 10 },
        retryNonIdempotent: false,
      },
      timeout: { connectMs: 1_000 },
    },
  ],
};

const endpoints: Endpoints = {
  name: "catalog.shop.svc.cluster.local:80",
  service,
  protocol: "detect",
  endpoints: [{ address: "10.0.0.1:8080", pod: "catalog-1", state: "ready" }],
};

describe("a resource", () => {
  it("is the same after a round trip", () => {
    fc.assert(
      fc.property(arbitraryResource, (resource) => {
        const message = overTheWire(resource);
        expect(message.version).toBe("v1");
        expect(decodeResource(message)).toEqual({ ok: true, value: resource });
      }),
    );
  });

  it("can be appended to an update by writing its bytes after the others'", () => {
    const first = encodeUpdate({ resources: [encodeResource({ kind: "destination", value: destination }, "1")] });
    const second = encodeUpdate({ resources: [encodeResource({ kind: "endpoints", value: endpoints }, "2")] });
    const third = encodeUpdate({ absent: [encodeName("endpoints", "gone")] });
    const both = decodeUpdate(Buffer.concat([first, second, third]));
    expect(both.resources.map(({ body, version }) => [body, version])).toEqual([
      ["destination", "1"],
      ["endpoints", "2"],
    ]);
    expect(both.absent.map(decodeName)).toEqual([{ kind: "endpoints", name: "gone" }]);
  });

  it("of an unknown kind is refused", () => {
    const message = overTheWire({ kind: "endpoints", value: endpoints }, (message) => delete message.endpoints);
    expect(faultsOf(decodeResource(message))).toEqual(["body: must be of a known kind"]);
  });
});

function faultsOf(result: Result<Resource, FieldError[]>): string[] {
  return result.ok ? [] : result.error.map(({ path, message }) => `${path}: ${message}`);
}

describe("a destination is refused", () => {
  type Route = NonNullable<Resource__Output["destination"]>["routes"][number];
  const cases: Record<string, [(route: Route) => void, string]> = {
    "without a timeout message": [(route) => (route.timeout = null), "routes[0].timeout: is required"],
    "with an unknown retry condition": [
      (route) => route.retry?.retryOn.push(99 as never),
      "routes[0].retry.retryOn[2]: has a value that this version does not know: 99",
    ],
    "with a jitter above 1": [
      (route) => Object.assign(route.retry ?? {}, { jitter: 1.5 }),
      "routes[0].retry.jitter: must be from 0 to 1, got 1.5",
    ],
    "with a jitter that is no number": [
      (route) => Object.assign(route.retry ?? {}, { jitter: Number.NaN }),
      "routes[0].retry.jitter: must be from 0 to 1, got NaN",
    ],
    "with no attempt at all": [
      (route) => Object.assign(route.retry ?? {}, { maxAttempts: 0 }),
      "routes[0].retry.maxAttempts: must be an integer from 1 to 9007199254740991, got 0",
    ],
    "with a time beyond what a number holds": [
      (route) => Object.assign(route.timeout ?? {}, { requestMs: 2 ** 60 }),
      "routes[0].timeout.requestMs: must be an integer from 0 to 9007199254740991, got 1152921504606847000",
    ],
    "without a retry budget": [
      (route) => Object.assign(route.retry ?? {}, { budget: null }),
      "routes[0].retry.budget: is required",
    ],
    "with an empty path match": [
      (route) => Object.assign(route.matches[0] ?? {}, { path: {} }),
      "routes[0].matches[0].path: must be an exact, prefix or regex match",
    ],
    "with an empty header match": [
      (route) => Object.assign(route.matches[0] ?? {}, { headers: [{ name: "x" }] }),
      "routes[0].matches[0].headers[0]: must be an exact, regex or present match",
    ],
    "with a filter of no known kind": [
      (route) => Object.assign(route, { filters: [{}] }),
      "routes[0].filters[0]: must be of a known kind",
    ],
    "with a redirect that is none": [
      (route) => Object.assign(route, { filters: [{ redirect: { status: 200 } }] }),
      "routes[0].filters[0].redirect.status: must be an integer from 300 to 399, got 200",
    ],
    "with a rewrite to nothing": [
      (route) => Object.assign(route, { filters: [{ rewrite: { path: {} } }] }),
      "routes[0].filters[0].rewrite.path: must be a full or prefix rewrite",
    ],
    "with more than all requests mirrored": [
      (route) => {
        const service = { namespace: "shop", name: "shadow" };
        Object.assign(route, { mirrors: [{ endpoints: "shadow", service, percent: 101 }] });
      },
      "routes[0].mirrors[0].percent: must be from 0 to 100, got 101",
    ],
    "with a fault of no known status": [
      (route) => Object.assign(route, { fault: { untilUnixMs: 1, matches: [], abort: { percent: 1 } } }),
      "routes[0].fault.abort: must be an HTTP or a gRPC status",
    ],
    "with a fault that is a success": [
      (route) => Object.assign(route, { fault: { untilUnixMs: 1, matches: [], abort: { http: 200, percent: 1 } } }),
      "routes[0].fault.abort.http: must be an integer from 400 to 599, got 200",
    ],
    "with a key that sticks to something unknown": [
      (route) => Object.assign(route, { sticky: { by: 9, name: "x" } }),
      "routes[0].sticky.by: has a value that this version does not know: 9",
    ],
    "with a backend without a service": [
      (route) => Object.assign(route.backends[0] ?? {}, { service: null }),
      "routes[0].backends[0].service.namespace: must not be empty",
    ],
  };
  it.each(Object.entries(cases))("%s", (_, [spoil, fault]) => {
    const message = overTheWire({ kind: "destination", value: destination }, (message) =>
      spoil(message.destination?.routes[0] as Route),
    );
    expect(faultsOf(decodeResource(message))[0]).toBe(fault);
  });
});

describe("an endpoint's address is refused", () => {
  it.each(["", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", "::1:80", "host:80", "10.0.0.1:80 ", "[::1]80"])(
    "%j",
    (address) => {
      const message = overTheWire({ kind: "endpoints", value: endpoints }, (message) =>
        Object.assign(message.endpoints?.endpoints[0] ?? {}, { address }),
      );
      expect(faultsOf(decodeResource(message))).toEqual([
        `endpoints[0].address: must be IP:port, got ${JSON.stringify(address)}`,
      ]);
    },
  );
});

describe("a port is refused", () => {
  type Port = NonNullable<Resource__Output["inbound"]>["ports"][number];
  const rule: AccessRule = {
    from: [{ kind: "namespace", namespace: "shop" }],
    methods: ["GET"],
    paths: [{ kind: "prefix", value: "/a" }],
  };
  const access: NamedAccessRules = { name: "shop/orders", action: "allow", mode: "enforce", rules: [rule] };
  const limit: RateLimit = { requests: 1, perMs: 1000, burst: 1, by: "all", matches: [] };
  const cases: Record<string, [(port: Port) => void, string]> = {
    "with an unknown action": [
      (port) => Object.assign(port.policies?.access[0] ?? {}, { action: 9 }),
      "ports[0].policies.access[0].action: has a value that this version does not know: 9",
    ],
    "with an unknown mode": [
      (port) => Object.assign(port.policies?.access[0] ?? {}, { mode: "ACCESS_MODE_UNSPECIFIED" }),
      "ports[0].policies.access[0].mode: has a value that this version does not know: ACCESS_MODE_UNSPECIFIED",
    ],
    "with a caller of no known kind": [
      (port) => Object.assign(port.policies?.access[0]?.rules[0] ?? {}, { from: [{}] }),
      "ports[0].policies.access[0].rules[0].from[0]: must be an identity, a namespace or a trust domain",
    ],
    "with a bucket that holds nothing": [
      (port) => Object.assign(port.policies?.rateLimits[0]?.limits[0] ?? {}, { burst: 0 }),
      "ports[0].policies.rateLimits[0].limits[0].burst: must be an integer from 1 to 9007199254740991, got 0",
    ],
    "with a limit of nobody known": [
      (port) => Object.assign(port.policies?.rateLimits[0]?.limits[0] ?? {}, { by: 9 }),
      "ports[0].policies.rateLimits[0].limits[0].by: has a value that this version does not know: 9",
    ],
    "with an empty path match": [
      (port) => Object.assign(port.policies?.access[0]?.rules[0] ?? {}, { paths: [{}] }),
      "ports[0].policies.access[0].rules[0].paths[0]: must be an exact, prefix or regex match",
    ],
  };
  it.each(Object.entries(cases))("%s", (_, [spoil, fault]) => {
    const port = {
      port: 8080,
      protocol: "detect" as const,
      access: [access],
      rateLimits: [{ name: "shop/all", limits: [limit] }],
    };
    const inbound = { name: "shop/orders", ports: [port] };
    const message = overTheWire({ kind: "inbound", value: inbound }, (message) =>
      spoil(message.inbound?.ports[0] as Port),
    );
    expect(faultsOf(decodeResource(message))[0]).toBe(fault);
  });
});
