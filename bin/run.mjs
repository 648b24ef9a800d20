// Runs a command of this checkout on the project's own Node 24, installing from the lockfile first where that is needed.
// Plain JavaScript without a dependency: it is what runs before anything is installed, on whatever Node there is.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const binaries = join(modules, ".bin");
/** npm writes this file last, so its presence means a finished install. */
const installed = join(modules, ".package-lock.json");
const requiredMajor = 24;
/** The lowest version of Node that may start this script, because of npm. */
const minMajor = 20;

/** Contains the process id of the installing process. */
const installLock = join(root, ".install.lock");
const installLockPollMs = 200;

/** Makes `node_modules` match the lockfile. Ends the process with 2 if it can't. */
export function ensureInstalled() {
  if (nodeMajor() < minMajor) fail(`needs Node ${minMajor} or later to start with, and this is ${process.version}`);
  if (isInstalled()) return;
  takeInstallLock();
  if (!isInstalled()) install();
  rmSync(installLock);
}

function isInstalled() {
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
}

function install() {
  process.stderr.write("tulle: installing dependencies from package-lock.json (once)\n");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (npm.status !== 0) fail(npm.error ? `npm could not be started: ${npm.error.message}` : "npm ci failed, see above");
}

/** Two installs at a time would remove each other's files: the demo in one terminal, the tests in another. */
function takeInstallLock() {
  for (let waits = 0; !tryInstallLock(); waits++) {
    if (waits === 0) process.stderr.write(`tulle: waiting for the install that holds ${installLock}\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, installLockPollMs);
  }
}

/** A lock whose owner is gone, killed or failed, is removed. */
function tryInstallLock() {
  try {
    writeFileSync(installLock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") fail(`${installLock}: ${codeOf(error)}`);
  }
  if (!isOwnerAlive()) rmSync(installLock, { force: true });
  return false;
}

function isOwnerAlive() {
  try {
    // The file is empty just after its creation: 0 then stands for this process, which is alive.
    process.kill(Number(readFileSync(installLock, "utf8")), 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return String(error instanceof Error && "code" in error ? error.code : error);
}

function nodeMajor() {
  return Number.parseInt(process.versions.node, 10);
}

/**
 * An environment in which `node` and the project's tools come from `node_modules`. Node does not look for a proxy in it: the parts
 * of a mesh on this machine call each other on loopback addresses of which no user's `no_proxy` knows.
 */
export function projectEnvironment() {
  const { NODE_USE_ENV_PROXY: _, ...env } = process.env;
  return { ...env, PATH: `${binaries}${delimiter}${env["PATH"] ?? ""}` };
}

/** The path of a Node that runs this project: the one from the lockfile, or else this one if it is new enough. */
export function projectNode() {
  const own = join(binaries, "node");
  if (existsSync(own)) return own;
  if (nodeMajor() >= requiredMajor) return process.execPath;
  return fail(`needs Node ${requiredMajor}; npm brings it for Linux on x64 and arm64, elsewhere install it yourself`);
}

/**
 * Replaces this process, as far as Node can: same input and output, signals passed on, same exit code.
 * @param {string} command
 * @param {readonly string[]} args
 */
export function become(command, args) {
  const child = spawn(command, args, { stdio: "inherit", env: projectEnvironment() });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`${command}: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)));
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`tulle: ${message}\n`);
  return process.exit(2);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command, ...args] = process.argv.slice(2);
  if (command === undefined) fail("usage: node bin/run.mjs COMMAND [ARG ...]");
  ensureInstalled();
  become(command === "node" ? projectNode() : join(binaries, command), args);
}
