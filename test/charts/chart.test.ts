import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { generatedFiles } from "../../charts/generate-chart.ts";
import { sidecarNodeFlags } from "../../cli/dev/mesh-processes.ts";
import { defaultSettings } from "../../control-plane/injection/annotations.ts";
import { version } from "../../system/version.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

it.each([...generatedFiles()])("has the %s that `npm run charts` makes", (path, text) => {
  expect(read(`charts/tulle/${path}`)).toBe(text);
});

it("lets the chart say of all pods what a pod's annotations can say of itself", () => {
  const schema = JSON.parse(read("charts/tulle/values.schema.json")) as {
    properties: { injection: { properties: { defaults: { properties: object } } } };
  };
  const { properties } = schema.properties.injection.properties.defaults;
  expect(Object.keys(properties).sort()).toEqual(Object.keys(defaultSettings).sort());
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
  expect(read("deploy/sidecar.Dockerfile")).toContain(` ${command.join(" ")} drain `);
});
