/**
 * `npm run build`: bundles the sidecar, its preStop hook, its init container and the control plane into one file each in dist/,
 * next to the .proto files and koffi.node. A bundle starts faster and needs less memory than its sources. `tulle dev` builds
 * when a source is newer.
 */

import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { build, type Metafile, type Plugin, stop } from "esbuild";
import { UsageError } from "../cli/usage-error.ts";
import { version } from "../system/version.ts";
import { type LockedPackages, packagesIn, sbomOf } from "./sbom.ts";

export interface Bundles {
  readonly sidecar: string;
  readonly controlPlane: string;
  /**
   * The folder in which Node caches V8's compiled code of the sidecar for its next start (NODE_COMPILE_CACHE). Absent: nowhere.
   */
  readonly compileCache?: string;
}

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const bundles: Required<Bundles> = {
  sidecar: join(dist, "sidecar.mjs"),
  controlPlane: join(dist, "control-plane.mjs"),
  compileCache: join(dist, "compile-cache"),
};
const inputsFile = join(dist, "inputs.json");
/** Inputs of the bundles besides the sources that esbuild lists. */
const alsoInputs = [
  "package-lock.json",
  "deploy/build.ts",
  "deploy/sbom.ts",
  "control-plane/dashboard/page/index.html",
  "control-plane/dashboard/page/app.css",
];
const images = ["sidecar", "init", "control-plane"] as const;
const page = join(root, "control-plane/dashboard/page");

/**
 * Returns the bundles, built now if a source is newer. Two builds at a time do not disturb each other. Throws a `UsageError` if
 * the sources can't be built; esbuild has then printed the reason on stderr.
 */
export async function ensureBundles(): Promise<Required<Bundles>> {
  if (isFresh()) return bundles;
  await buildBundles().catch((error: unknown) => {
    throw new UsageError("the sidecar and the control plane can't be built, see above", { cause: error });
  });
  return bundles;
}

async function buildBundles(): Promise<void> {
  const unfinished = join(dist, `part-${process.pid}`);
  mkdirSync(unfinished, { recursive: true });
  try {
    const { metafile } = await build({
      entryPoints: {
        sidecar: join(root, "sidecar/main.ts"),
        drain: join(root, "sidecar/drain.ts"),
        init: join(root, "sidecar/redirect/main.ts"),
        "control-plane": join(root, "control-plane/main.ts"),
        "redis-client": join(root, "sidecar/idempotency/redis-client.ts"),
      },
      outdir: unfinished,
      outExtension: { ".js": ".mjs" },
      absWorkingDir: root,
      bundle: true,
      platform: "node",
      target: "node24",
      format: "esm",
      sourcemap: "linked",
      metafile: true,
      logLevel: "error",
      legalComments: "none",
      // Saves a third of what is read at every start and kept in memory. Names stay, so that stack traces remain readable.
      minifyWhitespace: true,
      minifySyntax: true,
      plugins: [requireBuiltins, leaveRedisOut],
      // CommonJS packages load Node's own modules with `require`, and so do the modules of `requireBuiltins`.
      banner: {
        js: 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);',
      },
    });
    const ofPage = await buildPage(join(unfinished, "dashboard"));
    cpSync(join(root, "proto"), join(unfinished, "proto"), {
      recursive: true,
      filter: (source) => statSync(source).isDirectory() || source.endsWith(".proto"),
    });
    copyKoffi(unfinished);
    writeSboms(unfinished, metafile, ofPage);
    writeFileSync(
      join(unfinished, "inputs.json"),
      JSON.stringify([...inputsOf(metafile), ...inputsOf(ofPage), ...alsoInputs].sort()),
    );
    // Each file is replaced atomically, and the list last: whoever reads the list finds what it describes.
    cpSync(join(unfinished, "proto"), join(dist, "proto"), { recursive: true });
    if (existsSync(join(unfinished, "koffi.node")))
      renameSync(join(unfinished, "koffi.node"), join(dist, "koffi.node"));
    for (const name of ["sidecar", "drain", "init", "control-plane", "redis-client"])
      for (const ending of [".mjs.map", ".mjs"]) renameSync(join(unfinished, name + ending), join(dist, name + ending));
    for (const name of images) renameSync(join(unfinished, `${name}.cdx.json`), join(dist, `${name}.cdx.json`));
    cpSync(join(unfinished, "dashboard"), join(dist, "dashboard"), { recursive: true });
    renameSync(join(unfinished, "inputs.json"), inputsFile);
  } finally {
    // esbuild's service would otherwise run as long as the mesh.
    await stop();
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** The dashboard's page: it is served from `dashboard/` beside the control plane. */
async function buildPage(folder: string): Promise<Metafile> {
  const { metafile } = await build({
    entryPoints: { app: join(page, "main.tsx") },
    outdir: folder,
    absWorkingDir: root,
    bundle: true,
    target: "es2022",
    format: "esm",
    metafile: true,
    logLevel: "error",
    legalComments: "none",
    minify: true,
    tsconfig: join(page, "tsconfig.json"),
  });
  for (const file of ["index.html", "app.css"]) cpSync(join(page, file), join(folder, file));
  return metafile;
}

/**
 * Loads Node's own modules with `require`, not `import`. Importing such a module evaluates all its lazy properties: `node:http`
 * loads all of undici for its `WebSocket`, which is 86 ms of a start that took 400.
 */
const requireBuiltins: Plugin = {
  name: "require-builtins",
  setup(building) {
    building.onResolve({ filter: /^[a-z]/ }, ({ path, kind }) => {
      if (!isBuiltin(path) || kind === "require-call") return undefined;
      return { path, namespace: kind === "import-statement" && path.startsWith("node:") ? "named" : "builtin" };
    });
    building.onLoad({ filter: /.*/, namespace: "named" }, ({ path }) => ({ contents: namesOf(path) }));
    building.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/**
 * Importing a module as a whole inspects all its properties, and inspecting a lazy property evaluates it: 9 ms of a start. So
 * each name is exported separately, and esbuild omits those that nobody imports.
 */
function namesOf(builtin: string): string {
  const names = Object.keys(process.getBuiltinModule(builtin) ?? {}).filter((name) => /^(?!default$)\w+$/.test(name));
  return [
    `const builtin = require(${JSON.stringify(builtin)});`,
    "export default builtin;",
    ...names.map((name) => `const own_${name} = /* @__PURE__ */ (() => builtin.${name})();`),
    `export { ${names.map((name) => `own_${name} as ${name}`).join(", ")} };`,
  ].join("\n");
}

/** The Redis client is a third of the sidecar, and most sidecars don't use it, so it is a separate file next to the bundle. */
const leaveRedisOut: Plugin = {
  name: "leave-redis-out",
  setup(building) {
    building.onResolve({ filter: /\/redis-client\.ts$/ }, ({ kind }) =>
      kind === "dynamic-import" ? { path: "./redis-client.mjs", external: true } : undefined,
    );
  },
};

/** The only binary: it reads the original destination of redirected connections, and is loaded only if there are any. */
const { platform, arch } = process;
const koffi = `node_modules/@koromix/koffi-${platform}-${arch}`;

function copyKoffi(folder: string): void {
  const binary = join(root, koffi, `${platform}_${arch}`, "koffi.node");
  if (existsSync(binary)) cpSync(binary, join(folder, "koffi.node"));
}

/** Writes the contents of each image next to it. */
function writeSboms(folder: string, metafile: Metafile, ofPage: Metafile): void {
  const { packages: locked } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: LockedPackages;
  };
  const contents: Readonly<Record<(typeof images)[number], readonly string[]>> = {
    sidecar: [...packagesIn(metafile, "sidecar.mjs", "drain.mjs", "redis-client.mjs"), koffi],
    init: [...packagesIn(metafile, "init.mjs"), koffi],
    "control-plane": [...packagesIn(metafile, "control-plane.mjs"), ...packagesIn(ofPage, "app.js")],
  };
  for (const image of images) {
    const sbom = sbomOf({ name: `tulle/${image}`, version, packages: new Set(contents[image]) }, locked);
    writeFileSync(join(folder, `${image}.cdx.json`), sbom);
  }
}

/** Files of this checkout, without those of packages and the stand-ins for Node's own modules. */
function inputsOf(metafile: Metafile): readonly string[] {
  return Object.keys(metafile.inputs).filter((path) => !/^(?:node_modules\/|\w+:)/.test(path));
}

function isFresh(): boolean {
  try {
    const builtAtMs = statSync(inputsFile).mtimeMs;
    const inputs: unknown = JSON.parse(readFileSync(inputsFile, "utf8"));
    return Array.isArray(inputs) && inputs.every((path) => statSync(join(root, String(path))).mtimeMs < builtAtMs);
  } catch {
    // Never built, or one of its sources is gone.
    return false;
  }
}

if (process.argv[1] === import.meta.filename)
  await buildBundles().catch(() => {
    process.exitCode = 1;
  });
