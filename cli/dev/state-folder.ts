/**
 * What a running mesh keeps on disk, readable only by its user, and deleted when it stops:
 *
 *     objects/                      the Pods that this supervisor plays kubelet for, as YAML
 *     control-plane/                the certificate authority; tokens/ that it accepts
 *     pods/<namespace>.<name>/      a sidecar's token, key, chain and last snapshot
 */

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { UsageError } from "../usage-error.ts";
import type { PodIdentity } from "./pod-object.ts";

const privateFolder = 0o700;
const privateFile = 0o600;

export class StateFolder {
  readonly path: string;

  /** Throws a `UsageError` if no folder can be created in XDG_RUNTIME_DIR or the temporary folder. */
  constructor(env: NodeJS.ProcessEnv) {
    this.path = makeFolder([env["XDG_RUNTIME_DIR"], tmpdir()]);
    for (const folder of [this.objects, this.#tokens, join(this.path, "pods")])
      mkdirSync(folder, { recursive: true, mode: privateFolder });
  }

  get objects(): string {
    return join(this.path, "objects");
  }

  get controlPlane(): string {
    return join(this.path, "control-plane");
  }

  get trustBundle(): string {
    return join(this.controlPlane, "trust-bundle.pem");
  }

  get #tokens(): string {
    return join(this.controlPlane, "tokens");
  }

  /** Creates a pod's own folder, with a new token that the control plane accepts for this identity. */
  admitPod(identity: PodIdentity): PodFiles {
    const folder = join(this.path, "pods", fileName(identity));
    mkdirSync(join(folder, "state"), { recursive: true, mode: privateFolder });
    const token = randomBytes(32).toString("base64url");
    const record = join(this.#tokens, `${createHash("sha256").update(token).digest("hex")}.json`);
    const { namespace, serviceAccount, pod, podIP } = identity;
    replaceFile(record, JSON.stringify({ namespace, serviceAccount, pod, podIP, audience: "tulle" }));
    const tokenFile = join(folder, "token");
    replaceFile(tokenFile, token);
    return { tokenFile, tokenRecord: record, stateFolder: join(folder, "state"), folder };
  }

  /** The pod is gone: its token becomes invalid. */
  forgetPod(identity: PodIdentity, files: PodFiles): void {
    rmSync(files.tokenRecord, { force: true });
    rmSync(files.folder, { recursive: true, force: true });
    rmSync(this.#objectFile(identity), { force: true });
  }

  writePod(identity: PodIdentity, object: object): void {
    replaceFile(this.#objectFile(identity), stringify(object));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  #objectFile(identity: PodIdentity): string {
    return join(this.objects, `pod-${fileName(identity)}.yaml`);
  }
}

export interface PodFiles {
  readonly tokenFile: string;
  readonly tokenRecord: string;
  readonly stateFolder: string;
  readonly folder: string;
}

/** A namespace contains no dot, so no two pods share a name here. */
function fileName({ namespace, pod }: PodIdentity): string {
  return `${namespace}.${pod}`;
}

/** A reader sees the old content or the new one, never a part. */
function replaceFile(path: string, content: string): void {
  const unfinished = `${path}.part`;
  writeFileSync(unfinished, content, { mode: privateFile });
  renameSync(unfinished, path);
}

function makeFolder(parents: readonly (string | undefined)[]): string {
  let reason: unknown = "no temporary folder";
  for (const parent of parents) {
    if (parent === undefined || parent === "") continue;
    try {
      return mkdtempSync(join(parent, "tulle-dev-"));
    } catch (error) {
      reason = error;
    }
  }
  throw new UsageError(`no folder for the mesh's state can be made: ${String(reason)}`, { cause: reason });
}
