/**
 * The contents of a bundle, as CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/): the npm packages whose code is really in
 * it, as reported by esbuild, with version, licence and hash from the lockfile. Pure; the same bundle gives the same text, so
 * there is no date and no serial number in it. What is below a bundle in its image is for the base image to document.
 */

import type { Metafile } from "esbuild";

/** The `packages` of package-lock.json, by folder. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  /** Subresource integrity: `sha512-…` in base64. */
  readonly integrity?: string;
}

export interface Bundle {
  /** The name, such as `tulle/sidecar`. */
  readonly name: string;
  readonly version: string;
  /** Folders of packages: `node_modules/yaml`. */
  readonly packages: ReadonlySet<string>;
}

/** The folders of the packages that contributed at least one byte to an output. `outputs` are suffixes of output paths. */
export function packagesIn(metafile: Metafile, ...outputs: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [path, { inputs }] of Object.entries(metafile.outputs)) {
    if (!outputs.some((output) => path.endsWith(`/${output}`))) continue;
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
      if (folder !== undefined && bytesInOutput > 0) found.add(folder);
    }
  }
  return found;
}

/** Throws if a package is not in the lockfile: then the bundle does not match the lockfile. */
export function sbomOf({ name, version, packages }: Bundle, locked: LockedPackages): string {
  const components = [...packages].sort().map((folder) => {
    const found = Object.hasOwn(locked, folder) ? locked[folder] : undefined;
    if (found?.version === undefined) throw new Error(`${folder} is in ${name} and not in package-lock.json`);
    return componentOf(folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length), found);
  });
  const purl = `pkg:generic/${name}@${version}`;
  const component = {
    "bom-ref": purl,
    type: "application",
    name,
    version,
    purl,
    licenses: [{ license: { id: "Apache-2.0" } }],
  };
  const bom = { bomFormat: "CycloneDX", specVersion: "1.5", version: 1, metadata: { component }, components };
  return `${JSON.stringify(bom, undefined, 1)}\n`;
}

function componentOf(name: string, { version = "", license, integrity }: LockedPackage): object {
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  const [algorithm, hash = ""] = integrity?.split("-") ?? [];
  return {
    "bom-ref": purl,
    type: "library",
    name,
    version,
    purl,
    // A single licence has an identifier; several form an expression (SPDX).
    ...(license !== undefined && {
      licenses: [/[ ()]/.test(license) ? { expression: license } : { license: { id: license } }],
    }),
    ...(algorithm === "sha512" && {
      hashes: [{ alg: "SHA-512", content: Buffer.from(hash, "base64").toString("hex") }],
    }),
  };
}
