import { expect, it } from "vitest";
import { readConfig } from "../../sidecar/config.ts";

const env = {
  TULLE_NAMESPACE: "shop",
  TULLE_WORKLOAD: "orders",
  TULLE_POD: "orders-5d8f",
  TULLE_SERVICE_ACCOUNT: "orders",
  POD_IP: "10.0.0.7",
  TULLE_TOKEN_FILE: "/var/run/token",
  TULLE_TRUST_BUNDLE: "/etc/tulle/ca.pem",
  TULLE_STATE_DIR: "/var/lib/tulle",
  TULLE_CONTROL_PLANE: "tulle.tulle.svc",
};

const wrong = (changes: Record<string, string | undefined>) => {
  const config = readConfig({ ...env, ...changes });
  return config.ok ? [] : config.error.map(({ path, message }) => `${path} ${message}`);
};

it("reads the required variables, and has defaults for the others", () => {
  expect(readConfig(env)).toMatchObject({
    ok: true,
    value: {
      namespace: "shop",
      trustDomain: "cluster.local",
      controlPlane: ["tulle.tulle.svc"],
      upstreams: [],
      outboundMtls: "preferred",
      routeBy: "address",
      outside: "allow",
      drainGraceMs: 10_000,
      probes: new Map(),
      logLevel: "info",
    },
  });
});

it("reads the application's probes as injection writes them", () => {
  const probe = { action: { kind: "tcp", port: 8_080 }, timeoutMs: 1_000 };
  const config = readConfig({ ...env, TULLE_PROBES: JSON.stringify({ "/probe/web/liveness": probe }) });
  expect(config).toMatchObject({ ok: true, value: { probes: new Map([["/probe/web/liveness", probe]]) } });
  expect(wrong({ TULLE_PROBES: "[]" })).toEqual(["TULLE_PROBES must be an object of probes by path"]);
  expect(wrong({ TULLE_LOG_LEVEL: "loud" })).toEqual([
    "TULLE_LOG_LEVEL must be debug or info or warn or error, got loud",
  ]);
});

it("reads the optional variables", () => {
  const config = readConfig({
    ...env,
    TULLE_TRUST_DOMAIN: "example.org",
    TULLE_CONTROL_PLANE: "127.0.0.1, 127.0.0.2",
    TULLE_OUTBOUND_MTLS: "required",
    TULLE_ROUTE_BY: "host",
    TULLE_OUTSIDE: "deny",
    TULLE_DRAIN_SECONDS: "0.5",
    TULLE_REDIS_URL_FILE: "/etc/tulle/redis/url",
    TULLE_UPSTREAMS: "payments:80=127.0.0.1:9001",
    TULLE_NODE: "node-1",
    TULLE_ZONE: "",
  });
  expect(config).toMatchObject({
    ok: true,
    value: {
      trustDomain: "example.org",
      controlPlane: ["127.0.0.1", "127.0.0.2"],
      outboundMtls: "required",
      routeBy: "host",
      outside: "deny",
      drainGraceMs: 500,
      redisUrlFile: "/etc/tulle/redis/url",
      locality: { node: "node-1" },
      upstreams: [{ host: "payments", port: 80, listenHost: "127.0.0.1", listenPort: 9001 }],
    },
  });
});

it.each(Object.keys(env))("requires %s", (name) => {
  expect(wrong({ [name]: undefined })).toContain(`${name} must be set`);
  expect(wrong({ [name]: "" })).toContain(`${name} must be set`);
});

it.each([
  ["POD_IP", "orders", "must be an IP address, got orders"],
  ["TULLE_TRUST_DOMAIN", "Example.org", 'must be a SPIFFE trust domain in lower case, got "Example.org"'],
  ["TULLE_TRUST_DOMAIN", "", 'must be a SPIFFE trust domain in lower case, got ""'],
  ["TULLE_CONTROL_PLANE", "a,,b", "must be hosts separated by commas, got a,,b"],
  ["TULLE_OUTBOUND_MTLS", "always", "must be preferred or required, got always"],
  ["TULLE_OUTSIDE", "ask", "must be allow or deny, got ask"],
  ["TULLE_INTERCEPT", "ebpf", "must be iptables or off, got ebpf"],
  ["TULLE_DRAIN_SECONDS", "-1", "must be a number, at least 0, got -1"],
  ["TULLE_DRAIN_SECONDS", "soon", "must be a number, at least 0, got soon"],
  ["TULLE_DRAIN_SECONDS", "Infinity", "must be a number, at least 0, got Infinity"],
])("refuses %s=%s", (name, value, message) => {
  expect(wrong({ [name]: value })).toEqual([`${name} ${message}`]);
});

it("names everything that is wrong, not only the first", () => {
  const all = wrong({ POD_IP: undefined, TULLE_POD: "", TULLE_OUTBOUND_MTLS: "no", TULLE_UPSTREAMS: "payments" });
  const names = ["TULLE_UPSTREAMS", "TULLE_OUTBOUND_MTLS", "POD_IP", "TULLE_POD"];
  expect(new Set(all.map((line) => line.split(" ")[0]))).toEqual(new Set(names));
});
