/**
 * The last good resources on disk, so that a sidecar that restarts needs no control plane.
 * The file is one `tulle.v1.Update`: what the control plane would have sent.
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ResourceKind } from "../../model/resources.ts";
import { decodeResource, decodeUpdate } from "../../proto/decode.ts";
import { encodeResource, encodeUpdate } from "../../proto/encode.ts";
import { isErrorCode, writeDurably } from "../../system/durable-file.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import type { GoodResource } from "./held-resource.ts";

const fileName = "resources.binpb";
const settleMs = 500;

export class KeptSnapshot {
  readonly #path: string;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string, log: Log) {
    this.#path = join(folder, fileName);
    this.#log = log;
  }

  /** Returns what was kept; anything unreadable is left out and logged. */
  async load(): Promise<{ readonly kind: ResourceKind; readonly name: string; readonly good: GoodResource }[]> {
    try {
      const { resources } = decodeUpdate(await readFile(this.#path));
      return resources.flatMap((message) => {
        const decoded = decodeResource(message);
        if (!decoded.ok) return [];
        const { kind, value } = decoded.value;
        return [{ kind, name: value.name, good: { resource: decoded.value, version: message.version } }];
      });
    } catch (error) {
      if (!isErrorCode(error, "ENOENT")) this.#log("warn", "kept resources not usable", { reason: reasonOf(error) });
      return [];
    }
  }

  /** Writes what `list` returns once changes have settled. */
  saveSoon(list: () => Iterable<GoodResource>): void {
    this.#timer ??= setTimeout(() => this.#save(list), settleMs).unref();
  }

  /** Writes what is not written yet. */
  async close(list: () => Iterable<GoodResource>): Promise<void> {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#save(list);
    }
    await this.#writing;
  }

  #save(list: () => Iterable<GoodResource>): void {
    this.#timer = undefined;
    const resources = Array.from(list(), ({ resource, version }) => encodeResource(resource, version));
    const bytes = encodeUpdate({ resources });
    this.#writing = this.#writing
      .then(() => writeDurably(this.#path, bytes))
      .catch((error: unknown) => this.#log("warn", "resources not kept", { reason: reasonOf(error) }));
  }
}
