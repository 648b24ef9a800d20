import { expect, it } from "vitest";
import { readConfig, usage } from "../../control-plane/config.ts";

const needed = ["--folder", "yaml", "--state", "state"];

it("has a default for all but the folders", () => {
  expect(readConfig(needed)).toEqual({
    ok: true,
    value: {
      home: { kind: "folders", folders: ["yaml"], stateFolder: "state" },
      listenAddress: "127.0.0.1",
      replicas: [],
      trustDomain: "cluster.local",
      clusterDomain: "cluster.local",
      ports: { discovery: 15_010, identity: 15_012, admin: 15_014, dashboard: 8_080 },
      webhookPort: 9_443,
      leafLifetimeMs: 24 * 3_600_000,
      rotationPauseMs: 30_000,
      checkCallerAddress: false,
      maxHandshakes: 2_000,
      logLevel: "info",
    },
  });
});

it("uses what is given", () => {
  const args = [
    "--folder",
    "a",
    "--folder",
    "b",
    "--state",
    "s",
    "--listen-address",
    "fd00::1",
    "--leaf-lifetime",
    "90s",
  ];
  const ports = ["--discovery-port", "1", "--identity-port", "0", "--admin-port", "65535", "--dashboard-port", "2"];
  expect(readConfig([...args, ...ports, "--check-caller-address", "--trust-domain", "mesh.example"])).toMatchObject({
    ok: true,
    value: {
      home: { folders: ["a", "b"] },
      listenAddress: "fd00::1",
      leafLifetimeMs: 90_000,
      ports: { discovery: 1, identity: 0, admin: 65_535, dashboard: 2 },
      checkCallerAddress: true,
      trustDomain: "mesh.example",
    },
  });
});

it("runs in a cluster if it is told to", () => {
  const homeOf = (...args: string[]) => {
    const config = readConfig(args);
    return config.ok ? config.value.home : config.error;
  };
  expect(homeOf("--kubernetes")).toEqual({ kind: "kubernetes" });
  expect(homeOf("--kubeconfig", "k")).toEqual({ kind: "kubernetes", kubeconfig: "k" });
});

it.each([
  [["--state", "s"], /^--folder must be given, or --kubernetes$/],
  [["--kubernetes", ...needed], /^--kubernetes goes with neither --folder nor --state$/],
  [["--folder", "f"], /^--state must be given$/],
  [[...needed, "--colour", "red"], /'--colour'/],
  [[...needed, "stray"], /stray/],
  [[...needed, "--admin-port", "99999"], /^--admin-port must be a port from 0 to 65535, got 99999$/],
  [[...needed, "--discovery-port", "-1"], /--discovery-port/],
  [[...needed, "--identity-port", ""], /^--identity-port must be a port/],
  [[...needed, "--listen-address", "here"], /^--listen-address must be an IP address, got here$/],
  [[...needed, "--leaf-lifetime", "10 parsecs"], /^--leaf-lifetime .*10 parsecs/],
  [[...needed, "--leaf-lifetime", "10ms"], /^--leaf-lifetime must be at least 1s, got 10ms$/],
  [[...needed, "--log-level", "loud"], /^--log-level must be debug or info or warn or error, got loud$/],
  [[...needed, "--trust-domain", "A/B"], /^--trust-domain must be like cluster.local, got A\/B$/],
])("refuses %j", (args, reason) => {
  const read = readConfig(args);
  expect(read.ok ? "" : read.error).toMatch(reason);
});

it("explains every option", () => {
  for (const option of ["folder", "state", "listen-address", "trust-domain", "cluster-domain", "leaf-lifetime"])
    expect(usage).toContain(`--${option}`);
  for (const port of ["discovery", "identity", "admin"]) expect(usage).toContain(`--${port}-port`);
  for (const option of ["check-caller-address", "log-level"]) expect(usage).toContain(`--${option}`);
});
