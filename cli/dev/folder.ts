/**
 * The Deployments of a folder as they are now. It reads the folder as the control plane does, and leaves it to the control
 * plane to report what is wrong with other objects, or with the YAML itself.
 */

import { watchFolders } from "../../control-plane/source/folder.ts";
import { type KubeObject, objectKey } from "../../control-plane/source/kube-object.ts";
import { formatProblem } from "../../control-plane/source/problem.ts";
import type { SourceChange } from "../../control-plane/source/source.ts";
import { UsageError } from "../usage-error.ts";
import { type DevDeployment, isDeployment, readDeployment } from "./deployments.ts";

export interface FolderContent {
  /** By `namespace/name`. */
  readonly deployments: ReadonlyMap<string, DevDeployment>;
  /** Errors such as `apps.yaml:12 spec.replicas: must be …`. */
  readonly errors: ReadonlySet<string>;
}

/** A Deployment with an error keeps its last valid content, together with the error. */
interface Entry {
  readonly good: DevDeployment | undefined;
  readonly errors: readonly string[];
}

export class DeploymentFolder {
  /** Called with the new content after each change. */
  onChange: (content: FolderContent) => void = () => undefined;
  readonly #entries = new Map<string, Entry>();

  /** Watches until `signal` aborts. Throws `UsageError` if the folder can't be read. */
  static async open(path: string, signal: AbortSignal): Promise<DeploymentFolder> {
    const folder = new DeploymentFolder();
    try {
      await watchFolders({ folders: [path], signal, onChange: (change) => folder.#apply(change) });
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
    }
    return folder;
  }

  get content(): FolderContent {
    const deployments = new Map<string, DevDeployment>();
    for (const { good } of this.#entries.values())
      if (good !== undefined) deployments.set(`${good.namespace}/${good.name}`, good);
    return { deployments, errors: new Set([...this.#entries.values()].flatMap(({ errors }) => errors)) };
  }

  #apply(change: SourceChange): void {
    const read = change.applied.filter(isDeployment);
    for (const object of read) this.#entries.set(objectKey(object), this.#read(object));
    const removed = change.removed.filter((key) => this.#entries.delete(key));
    if (read.length + removed.length > 0) this.onChange(this.content);
  }

  #read(object: KubeObject): Entry {
    const deployment = readDeployment(object);
    if (deployment.ok) return { good: deployment.value, errors: [] };
    const { origin } = object;
    const errors = deployment.error.map(({ path, message }) =>
      formatProblem({ severity: "error", file: origin.file, line: origin.lineOf(path), path, message }),
    );
    return { good: this.#entries.get(objectKey(object))?.good, errors };
  }
}
