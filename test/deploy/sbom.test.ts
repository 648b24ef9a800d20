import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ensureBundles } from "../../deploy/build.ts";
import { packagesIn, sbomOf } from "../../deploy/sbom.ts";

const root = join(import.meta.dirname, "../..");
const bundle = { name: "tulle/sidecar", version: "1.2.3" };

interface Bom {
  readonly metadata: { readonly component: { readonly name: string } };
  readonly components: readonly { readonly name: string; readonly purl: string; readonly hashes: readonly object[] }[];
}

beforeAll(async () => {
  await ensureBundles();
}, 60_000);

it("is not built again while no source has changed", async () => {
  const builtAtMs = () => statSync(join(root, "dist/inputs.json")).mtimeMs;
  const before = builtAtMs();
  await ensureBundles();
  expect(builtAtMs()).toBe(before);
});

function sbomIn(image: string): Bom {
  return JSON.parse(readFileSync(join(root, `dist/${image}.cdx.json`), "utf8")) as Bom;
}

describe("the list of contents", () => {
  it("names each package with code in a bundle once, including nested ones, and no others", () => {
    const inputs = (...paths: readonly [string, number][]) =>
      Object.fromEntries(paths.map(([path, bytesInOutput]) => [path, { bytesInOutput }]));
    const output = { bytes: 1, imports: [], exports: [] };
    const metafile = {
      inputs: {},
      outputs: {
        "dist/part/sidecar.mjs": {
          ...output,
          inputs: inputs(
            ["sidecar/main.ts", 5],
            ["node_modules/yaml/a.js", 5],
            ["node_modules/yaml/b.js", 5],
            ["node_modules/@a/b/node_modules/@c/d/e.js", 1],
            ["node_modules/unused/a.js", 0],
          ),
        },
        "dist/part/init.mjs": { ...output, inputs: inputs(["node_modules/other/a.js", 1]) },
      },
    };
    expect([...packagesIn(metafile, "sidecar.mjs")]).toEqual([
      "node_modules/yaml",
      "node_modules/@a/b/node_modules/@c/d",
    ]);
  });

  it("gives each package's licence and the hash of what was downloaded", () => {
    const integrity = `sha512-${Buffer.from("ab").toString("base64")}`;
    const packages = new Set(["node_modules/@a/b"]);
    const text = sbomOf(
      { ...bundle, packages },
      { "node_modules/@a/b": { version: "2.0.0", license: "MIT", integrity } },
    );
    expect(JSON.parse(text)).toMatchObject({
      components: [
        {
          name: "@a/b",
          purl: "pkg:npm/%40a/b@2.0.0",
          licenses: [{ license: { id: "MIT" } }],
          hashes: [{ alg: "SHA-512", content: "6162" }],
        },
      ],
    });
  });

  it("can't be made of a bundle with something that is not in the lockfile", () => {
    const packages = new Set(["node_modules/stranger"]);
    expect(() => sbomOf({ ...bundle, packages }, {})).toThrow("node_modules/stranger is in tulle/sidecar");
  });
});

describe("the list of what is built here", () => {
  it("contains what is needed, and nothing that is only needed to build", () => {
    const names = (image: string) => sbomIn(image).components.map(({ name }) => name);
    expect(names("sidecar")).toEqual(expect.arrayContaining(["@redis/client", `@koromix/koffi-linux-${process.arch}`]));
    // A library for gRPC would be half of its bundle, and it has a client of its own.
    expect(names("sidecar")).not.toContain("@grpc/grpc-js");
    expect(names("control-plane")).toEqual(expect.arrayContaining(["@grpc/grpc-js", "preact", "yaml"]));
    for (const image of ["sidecar", "control-plane", "init"]) {
      expect(names(image)).not.toContain("esbuild");
      expect(sbomIn(image).metadata.component.name).toBe(`tulle/${image}`);
    }
  });

  it("agrees with npm's own list, to the hash", () => {
    const args = ["sbom", "--package-lock-only", "--sbom-format", "cyclonedx"];
    const npm = JSON.parse(execFileSync("npm", args, { cwd: root, encoding: "utf8" })) as Bom;
    const known = new Map(npm.components.map(({ purl, hashes }) => [purl, hashes]));
    for (const image of ["sidecar", "control-plane", "init"])
      for (const { purl, hashes } of sbomIn(image).components) expect([purl, hashes]).toEqual([purl, known.get(purl)]);
  });
});
