import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { generatedFiles } from "../../charts/generate-chart.ts";
import { sidecarNodeFlags } from "../../cli/dev/mesh-processes.ts";
import { readConfig } from "../../control-plane/config.ts";
import { defaultSettings } from "../../control-plane/injection/annotations.ts";
import { readInjectionConfig } from "../../control-plane/injection/config.ts";
import { version } from "../../system/version.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

it.each([...generatedFiles()])("has the %s that `npm run charts` makes", (path, text) => {
  expect(read(`charts/tulle/${path}`)).toBe(text);
});

const schema = JSON.parse(read("charts/tulle/values.schema.json")) as Described & {
  properties: { injection: { properties: { defaults: { properties: Record<string, object> } } } };
};
const settings = schema.properties.injection.properties.defaults.properties;

it("lets the chart set defaults for everything that a pod's annotations can set", () => {
  expect(Object.keys(settings).sort()).toEqual(Object.keys(defaultSettings).sort());
});

interface Described {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
}

/** The values of which nothing is said, neither of them nor of the group that they are in. */
function undescribed({ description, properties }: Described, path = ""): string[] {
  if (description !== undefined && path !== "") return [];
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([name, inner]) => undescribed(inner, `${path}.${name}`));
}

it("describes every value, since one without a description would be missing in the README", () => {
  expect(undescribed(schema)).toEqual([]);
});

interface Schema {
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
}

/** As far as the chart's schema goes; types aside, which the reader of the code's own side checks. */
function takes({ enum: allowed, pattern, minimum, maximum, items }: Schema, value: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => takes(items ?? {}, item));
  if (allowed !== undefined) return allowed.includes(value);
  if (typeof value === "number") return value >= (minimum ?? value) && value <= (maximum ?? value);
  return pattern === undefined || new RegExp(pattern).test(String(value));
}

it.each([
  ["upstreams", ["", "payments:80=127.0.0.1:9001, [fd00::1]:80=[::1]:9002,"], ["payments:80", "a:80=0.0.0.0:1", "a"]],
  ["redisSecret", ["", "redis.url"], ["Redis", "-a"]],
  [
    "skipOutboundRanges",
    [[], ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::1/128", "1.2.3.4"]],
    [["10.0.0.0/"], ["10.0.0.0/33"], ["fd00::/129"], ["intern"]],
  ],
  ["skipInboundPorts", [[], [9090]], [[0], [65_536]]],
  ["accessLog", ["off", "errors", "all", "0.01", "1"], ["some", "2"]],
  ["interception", ["iptables", "off"], ["ebpf"]],
  ["drainSeconds", [0, 9_999], [-1, 10_000]],
  [
    "memoryLimit",
    ["", "64Mi", "1.5Gi", "65536Ki", "64000k", "67108864", "1e8", ".5Gi"],
    ["64 MB", "64ki", "64mi", "e8", "lots"],
  ],
] as const)(
  "accepts at install for the default %s what the control plane accepts, and refuses what it refuses",
  (field, good, bad) => {
    const schema = settings[field] as Schema;
    const read = (value: unknown) => readInjectionConfig({ defaults: { [field]: value } });
    for (const value of good) expect([value, takes(schema, value), read(value).ok]).toEqual([value, true, true]);
    for (const value of bad) {
      expect([value, takes(schema, value)]).toEqual([value, false]);
      expect(read(value)).toMatchObject({ ok: false, error: [{ path: `defaults.${field}` }] });
    }
  },
);

/** Of a value by its path, such as `images.tag`. */
function schemaOf(path: string): Schema {
  const found = path.split(".").reduce<Described | undefined>((within, name) => within?.properties?.[name], schema);
  if (found === undefined) throw new Error(`the chart has no value ${path}`);
  return found as Schema;
}

it.each([
  ["trustDomain", "trust-domain", ["cluster.local", "prod_1"], ["", "a/b", "Prod"]],
  [
    "controlPlane.leafLifetime",
    "leaf-lifetime",
    ["24h", "1h30m", "1s", "0h5s500ms"],
    ["", "0s", "999ms", "1d", "100000h"],
  ],
  ["controlPlane.rotationPause", "rotation-pause", ["30s", "0s", "1h2m3s4ms"], ["", "30", "100000h", "1m1m1m1m1m"]],
  ["controlPlane.logLevel", "log-level", ["debug"], ["", "loud"]],
])("accepts at install for %s what the control plane starts with, and refuses the rest", (path, flag, good, bad) => {
  const starts = (value: string) => readConfig(["--kubernetes", `--${flag}=${value}`]).ok;
  for (const value of good) expect([value, takes(schemaOf(path), value), starts(value)]).toEqual([value, true, true]);
  for (const value of bad) expect([value, takes(schemaOf(path), value), starts(value)]).toEqual([value, false, false]);
});

it.each([
  ["images.registry", ["", "registry.example/team", "localhost:5000/"], ["https://registry.example", "a b"]],
  ["images.tag", ["", "0.1.0", "1.10"], ["a b", "a:b", "-1"]],
  ["images.sidecar", ["tulle/sidecar", "registry.example:5000/a/b/sidecar"], ["", "tulle/sidecar:0.1.0", "Tulle"]],
  ["tracing.endpoint", ["", "http://jaeger:4318", "https://a.example/otlp"], ["jaeger:4318", "grpc://jaeger:4317"]],
  ["clusterDomain", ["cluster.local"], ["", "a b", "cluster.local."]],
])("refuses at install for %s what no pod could start with", (path, good, bad) => {
  for (const value of good) expect([value, takes(schemaOf(path), value)]).toEqual([value, true]);
  for (const value of bad) expect([value, takes(schemaOf(path), value)]).toEqual([value, false]);
});

it.each(["tulle", "tulle-crds"])("gives the chart %s the version of the code", (chart) => {
  expect(parse(read(`charts/${chart}/Chart.yaml`))).toMatchObject({ version, appVersion: version });
});

it.each(["sidecar", "control-plane", "init"])("labels the image %s with the version of the code", (image) => {
  expect(read(`deploy/${image}.Dockerfile`)).toContain(`ARG VERSION=${version}\n`);
});

it("runs the sidecar in its image as `tulle dev` does", () => {
  const entry = /^ENTRYPOINT (.*)$/m.exec(read("deploy/sidecar.Dockerfile"))?.[1] ?? "[]";
  const command = ["/usr/local/bin/node", ...sidecarNodeFlags, "/tulle/sidecar.mjs"];
  expect(JSON.parse(entry)).toEqual(command);
  // Under other flags V8 would not take what it has compiled.
  expect(read("deploy/sidecar.Dockerfile")).toContain(` ${command.join(" ")} 2>`);
});
