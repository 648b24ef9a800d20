/**
 * The live requests of many sidecars as one stream. Pods come and go meanwhile: every few seconds it looks which ones
 * there are, and a stream that ends is reopened if its pod is still there.
 */

import type { IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { isRecord } from "../../control-plane/source/kube-object.ts";
import { type TapMissed, tapPath } from "../../sidecar/debug/debug-pages.ts";
import type { TappedRequest } from "../../sidecar/debug/request-taps.ts";
import { formatTapFilter, type TapFilter } from "../../sidecar/debug/tap-filter.ts";
import { reasonOf } from "../../system/log.ts";
import { adminPortOf, askAdmin, type SidecarRef } from "../sidecars/find-sidecars.ts";

export interface LiveRequest extends TappedRequest {
  /** `namespace/name` of the pod whose sidecar reports it. */
  readonly pod: string;
}

interface LiveEvents {
  readonly onRequest: (request: LiveRequest) => void;
  /** This many requests were left out, because there were too many at once. */
  readonly onMissed: (count: number, pod: string) => void;
  /** A sidecar can't be followed. Called once per reason. */
  readonly onTrouble: (reason: string) => void;
}

export interface LiveOptions extends LiveEvents {
  readonly filter: TapFilter;
  /** The limit for all sidecars together. */
  readonly requestsPerSecond: number;
}

export class LiveRequests {
  readonly #options: LiveOptions;
  /** By pod; undefined while it is being opened. */
  readonly #streams = new Map<string, IncomingMessage | undefined>();
  readonly #troubles = new Set<string>();
  #closed = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** Follows these sidecars, and stays with those that it follows already. Resolves when each stream is open, or has failed. */
  async follow(sidecars: readonly SidecarRef[]): Promise<void> {
    const fresh = sidecars.filter(({ pod }) => !this.#streams.has(pod));
    const rate = Math.max(1, Math.floor(this.#options.requestsPerSecond / Math.max(sidecars.length, 1)));
    await Promise.all(fresh.map((sidecar) => this.#open(sidecar, rate)));
  }

  close(): void {
    this.#closed = true;
    for (const stream of this.#streams.values()) stream?.destroy();
  }

  async #open(sidecar: SidecarRef, rate: number): Promise<void> {
    const { pod } = sidecar;
    this.#streams.set(pod, undefined);
    try {
      const query = { ...formatTapFilter(this.#options.filter), rate: String(rate) };
      const stream = await askAdmin(adminPortOf(sidecar), tapPath, query);
      if (this.#closed) return void stream.destroy();
      this.#streams.set(pod, stream);
      this.#read(pod, stream);
    } catch (error) {
      this.#streams.delete(pod);
      // The error's message already contains the reason.
      this.#complain(error instanceof Error ? error.message : String(error));
    }
  }

  #read(pod: string, stream: IncomingMessage): void {
    const { onRequest, onMissed } = this.#options;
    const lines = createInterface(stream);
    lines.on("line", (text) => {
      const line: unknown = JSON.parse(text);
      if (isMissed(line)) onMissed(line.missed, pod);
      else if (isRequest(line)) onRequest({ pod, ...line });
    });
    stream.on("error", (error) => {
      if (!this.#closed) this.#complain(`the sidecar of ${pod}: ${reasonOf(error)}`);
    });
    stream.on("close", () => this.#streams.delete(pod));
  }

  #complain(reason: string): void {
    if (this.#closed || this.#troubles.has(reason)) return;
    this.#troubles.add(reason);
    this.#options.onTrouble(reason);
  }
}

function isMissed(line: unknown): line is TapMissed {
  return isRecord(line) && typeof line["missed"] === "number";
}

function isRequest(line: unknown): line is TappedRequest {
  return isRecord(line) && typeof line["status"] === "number" && typeof line["path"] === "string";
}
