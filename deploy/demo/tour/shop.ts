/**
 * The shop as the tour uses it: a mesh on a copy of the demo's folder, a client, a receiver of spans, and the few things that
 * the tour does to the shop from outside.
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Mesh, startMesh } from "../../../cli/dev/mesh.ts";
import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";
import type { Pod } from "../../../cli/dev/pod.ts";
import { UsageError } from "../../../cli/usage-error.ts";
import { type Answer, type Ask, Client } from "./client.ts";
import { OtlpReceiver } from "./otlp-receiver.ts";

const demoFolder = join(import.meta.dirname, "..");
const manifests = ["shop.yaml", "policies.yaml"];
const appPort = 8080;
const pollMs = 20;
const startPatienceMs = 60_000;
/** However the folder was left, and whatever the shop's defaults are, the tour begins with the same state. */
const tourEdits = [
  // Only the tour's own requests count, so there are no visitors.
  ["shop.yaml", /(?<=REQUESTS_PER_SECOND, value: )"\d+"/, '"0"'],
  ["shop.yaml", /(?<=FAIL_PERCENT, value: )"\d+"/, '"0"'],
  ["policies.yaml", /(?<=catalog-v1, weight: )\d+/, "90"],
  ["policies.yaml", /(?<=catalog-v2, weight: )\d+/, "10"],
] as const;

export class Shop implements AsyncDisposable {
  readonly mesh: Mesh;
  readonly client = new Client();
  readonly receiver: OtlpReceiver;
  readonly events: readonly MeshEvent[];
  readonly #folder: string;
  readonly #undo: AsyncDisposableStack;

  private constructor(
    parts: Pick<Shop, "mesh" | "receiver" | "events"> & { readonly folder: string },
    undo: AsyncDisposableStack,
  ) {
    this.mesh = parts.mesh;
    this.receiver = parts.receiver;
    this.events = parts.events;
    this.#folder = parts.folder;
    this.#undo = undo;
  }

  /** Resolves when every pod is ready. */
  static async open(signal: AbortSignal, onEvent: (event: MeshEvent) => void): Promise<Shop> {
    await using undo = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), "tulle-tour-"));
    undo.defer(() => rmSync(folder, { recursive: true, force: true }));
    for (const file of manifests) cpSync(join(demoFolder, file), join(folder, file));
    for (const [file, from, to] of tourEdits) rewrite(join(folder, file), from, to);
    const receiver = await OtlpReceiver.listen(process.env);
    undo.defer(() => receiver.close());
    const events: MeshEvent[] = [];
    const report = (event: MeshEvent) => {
      events.push(event);
      onEvent(event);
    };
    const env = { ...process.env, ...tracingTo(receiver) };
    const mesh = await startMesh({ folder, workFolder: demoFolder, env, report, signal });
    undo.defer(() => mesh.stop());
    await settledSoon(mesh, signal);
    return new Shop({ mesh, receiver, events, folder }, undo.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.#undo.disposeAsync();
  }

  /** The pods of a Deployment. Throws if there are none: without pods nothing may count as proven. */
  pods(workload: string): readonly [Pod, ...Pod[]] {
    const [first, ...others] = this.mesh.pods.filter(({ identity }) => identity.workload === workload);
    if (first === undefined) throw new Error(`no pod of ${workload} is there`);
    return [first, ...others];
  }

  podIP(workload: string): string {
    return this.pods(workload)[0].identity.podIP;
  }

  /** Asks like the first pod of `workload`. */
  ask(workload: string, ask: Ask): Promise<Answer> {
    return this.client.viaPod(this.podIP(workload), ask);
  }

  /** The request that most of the tour uses: orders asks the catalog. */
  readonly askCatalog = (): Promise<Answer> => this.ask("orders", { url: "http://catalog/articles/1" });

  /** Tells every pod of these Deployments how to misbehave. */
  async trouble(workloads: readonly string[], trouble: { failPercent?: number; delayMs?: number }): Promise<void> {
    for (const { identity } of workloads.flatMap((workload) => this.pods(workload))) {
      const url = `http://${identity.podIP}:${appPort}/admin`;
      const answer = await this.client.direct({ url, method: "POST", body: JSON.stringify(trouble) });
      if (answer.status !== 200)
        throw new Error(`${identity.pod} does not take orders: ${answer.status} ${answer.body}`);
    }
  }

  /** Edits policies.yaml, as a person would; the returned function restores the old text. Throws if `from` is not in it. */
  editPolicies(from: string | RegExp, to: string): () => void {
    const path = join(this.#folder, "policies.yaml");
    const before = rewrite(path, from, to);
    return () => writeFileSync(path, before);
  }
}

export const catalogs = ["catalog-v1", "catalog-v2"] as const;

/** Waits until an outside condition holds. Throws, naming it, if it does not within `withinMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const giveUpAtMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(pollMs);
  }
}

async function settledSoon(mesh: Mesh, signal: AbortSignal): Promise<void> {
  const patience = AbortSignal.timeout(startPatienceMs);
  await mesh.settled(AbortSignal.any([signal, patience])).catch((error: unknown) => {
    if (!patience.aborted) throw error;
    const missing = mesh.pods.filter(({ phase }) => phase !== "ready").map(({ identity }) => identity.pod);
    throw new UsageError(`not ready within ${startPatienceMs / 1_000} s: ${missing.join(", ")}`);
  });
}

/** Throws if the file contains nothing like `from`. Returns the previous text. */
function rewrite(path: string, from: string | RegExp, to: string): string {
  const before = readFileSync(path, "utf8");
  if (before.search(from) < 0) throw new Error(`${path} holds nothing like ${String(from)}`);
  writeFileSync(path, before.replace(from, to));
  return before;
}

/** Only what the tour wants traced is traced, and sent at once. */
function tracingTo(receiver: OtlpReceiver): NodeJS.ProcessEnv {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0",
    OTEL_BSP_SCHEDULE_DELAY: "200",
  };
}
