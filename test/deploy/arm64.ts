/**
 * `npm run test:arm64`: all three images for linux/arm64, by the Dockerfiles that everybody builds with, on a machine that may
 * be another's: each is for that architecture, and so is every binary in it; its programs start under qemu, and koffi
 * loads. As root, half a minute. Debian's own programs are unpacked and not installed, which would take an emulator minutes; and
 * qemu knows no netlink for iptables, so that no redirect is set.
 */

import { spawnSync } from "node:child_process";
import { closeSync, cpSync, mkdirSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureBundles } from "../../deploy/build.ts";

const root = join(import.meta.dirname, "../..");
const scripts = join(root, "test/cluster");
const context = join(root, "dist/arm64");
const node = "usr/local/bin/node";
const emulator = "/usr/bin/qemu-aarch64-static";
/** `e_machine` of an ELF header (elf(5)): where it is, and AArch64. */
const elfMachine = { offset: 18, aarch64: 183 };
const bundles = {
  sidecar: ["sidecar.mjs", "drain.mjs", "redis-client.mjs", "sidecar.cdx.json", "proto"],
  "control-plane": ["control-plane.mjs", "control-plane.cdx.json", "proto", "dashboard"],
  init: ["init.mjs", "init.cdx.json"],
} as const;

const withEnvironment = `. ${join(scripts, "env.sh")}; export IMAGE_ARCH=arm64; exec "$0" "$@"`;

/** What a command says on both outputs, with the cluster's tools on its path; throws where it ends otherwise. */
function run(command: string, args: readonly string[], exitCode = 0): string {
  const ended = spawnSync("bash", ["-c", withEnvironment, command, ...args], { encoding: "utf8", cwd: context });
  const said = `${ended.stdout}${ended.stderr}`.trim();
  if (ended.status === exitCode) return said;
  throw new Error(`${command} ${args.join(" ")}: exit code ${ended.status}: ${said}`);
}

function buildah(...args: readonly string[]): string {
  const itsOwn = 'exec buildah --root "$CLUSTER_HOME/arm64/images" --runroot "$CLUSTER_HOME/arm64/run" "$@"';
  return run("bash", ["-c", itsOwn, "buildah", ...args]);
}

/** Lets the kernel start programs of that architecture, in other roots too (F), for as long as this runs. */
function emulate(): Disposable {
  const folder = "/proc/sys/fs/binfmt_misc";
  const name = "tulle-aarch64";
  const [magic, mask] = ["7f454c460201010000000000000000000200b700", "ffffffffffffff00fffffffffffffffffeffffff"].map(
    (hex) => hex.replaceAll(/../g, "\\x$&"),
  );
  run("bash", ["-c", `[ -e ${folder}/register ] || mount -t binfmt_misc binfmt_misc ${folder}`]);
  run("bash", [
    "-c",
    `[ -e ${folder}/${name} ] || echo '${`:${name}:M::${magic}:${mask}:${emulator}:F`}' > ${folder}/register`,
  ]);
  return { [Symbol.dispose]: () => void run("bash", ["-c", `echo -1 > ${folder}/${name}`]) };
}

/** The bundles are the same everywhere; the one binary beside them is that of the platform. */
async function fillContext(): Promise<void> {
  await ensureBundles();
  rmSync(context, { recursive: true, force: true });
  mkdirSync(join(context, "dist"), { recursive: true });
  for (const name of new Set(Object.values(bundles).flat()))
    cpSync(join(root, "dist", name), join(context, "dist", name), { recursive: true });
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly version: string }>>;
  };
  const { version } = lock.packages["node_modules/@koromix/koffi-linux-arm64"] ?? {};
  run("npm", ["pack", "--silent", `@koromix/koffi-linux-arm64@${version}`]);
  const unpack = `tar -xzf koromix-koffi-linux-arm64-${version}.tgz -C dist --strip-components=2 package/linux_arm64/koffi.node`;
  run("bash", ["-c", unpack]);
}

/** Through links that are absolute in there. */
function realpathIn(folder: string, file: string): string {
  return join(folder, run("chroot", [folder, "/usr/bin/realpath", `/${file}`]));
}

function machineOf(file: string): number {
  const descriptor = openSync(file, "r");
  const field = Buffer.alloc(2);
  readSync(descriptor, field, 0, field.length, elfMachine.offset);
  closeSync(descriptor);
  return field.readUInt16LE();
}

/** Builds an image and hands over its files. */
function built(image: keyof typeof bundles, look: (folder: string) => void): void {
  const tag = `docker.io/tulle/${image}:0.1.0`;
  const dockerfile = join(root, `deploy/${image}.Dockerfile`);
  run(join(scripts, "image"), ["build", tag, "--build-context", `build=${context}`, "-f", dockerfile, context]);
  const architecture = buildah("inspect", "--type", "image", "--format", "{{.OCIv1.Architecture}}", tag);
  expect(`${image} is for`, architecture, "arm64");
  const container = buildah("from", "--pull-never", "--arch", "arm64", tag);
  try {
    const folder = buildah("mount", container);
    expect(`${image}: its Node is for`, machineOf(join(folder, node)), elfMachine.aarch64);
    look(folder);
  } finally {
    buildah("rm", container);
  }
}

function expect(what: string, found: string | number, wanted: string | number | RegExp): void {
  const holds = wanted instanceof RegExp ? wanted.test(String(found)) : found === wanted;
  if (!holds) throw new Error(`${what} ${found}, not ${wanted}`);
  console.log(`arm64: ${what} ${String(found).split("\n").at(-1)}`);
}

function expectKoffi(image: string, folder: string): void {
  expect(`${image}: koffi is for`, machineOf(join(folder, "tulle/koffi.node")), elfMachine.aarch64);
  const load = 'console.log(process.arch, require("/tulle/koffi.node").version)';
  expect(`${image}: koffi says`, run("chroot", [folder, `/${node}`, "-e", load]), /^arm64 \d/);
}

await fillContext();
using _emulation = emulate();
run(join(scripts, "image"), ["base"]);
built("sidecar", (folder) => {
  expectKoffi("sidecar", folder);
  for (const program of ["sidecar", "drain"]) {
    const unset = run("chroot", [folder, `/${node}`, `/tulle/${program}.mjs`], 2);
    expect(`sidecar: ${program} says`, unset, /^tulle-sidecar: TULLE_STATE_DIR: must be set$/m);
  }
});
built("control-plane", (folder) => {
  expect(
    "control-plane: it says",
    run("chroot", [folder, `/${node}`, "/tulle/control-plane.mjs", "--help"]),
    /--kubernetes/,
  );
});
built("init", (folder) => {
  expectKoffi("init", folder);
  for (const program of ["iptables-nft", "ip6tables-nft-restore"]) {
    expect(`init: ${program} is for`, machineOf(realpathIn(folder, `usr/sbin/${program}`)), elfMachine.aarch64);
    // The loader ends with 1 where a library is missing. The program itself could not even tell its version without netlink.
    const libraries = run("chroot", [folder, "/lib/ld-linux-aarch64.so.1", "--list", `/usr/sbin/${program}`]);
    expect(`init: ${program} finds`, libraries, /libxtables\.so/);
  }
  // It reads its settings before it touches anything.
  const wrong = ["TULLE_SKIP_OUTBOUND_PORTS=0", `/${node}`, "/tulle/init.mjs"];
  const refused = run("unshare", ["--net", "chroot", folder, "/usr/bin/env", ...wrong], 2);
  expect("init: it says", refused, /^tulle-init: TULLE_SKIP_OUTBOUND_PORTS: must hold ports, got 0$/);
});
