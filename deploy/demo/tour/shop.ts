/**
 * The shop as the tour uses it: a mesh on a copy of the demo's folder, a client, a receiver of spans,
 * and the few things that the tour does to the shop from outside.
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Mesh, startMesh } from "../../../cli/dev/mesh.ts";
import type { MeshEvent } from "../../../cli/dev/mesh-event.ts";
import type { Pod } from "../../../cli/dev/pod.ts";
import { type Answer, type Ask, Client } from "./client.ts";
import { OtlpReceiver } from "./otlp-receiver.ts";

const demoFolder = join(import.meta.dirname, "..");
const manifests = ["shop.yaml", "policies.yaml"];
const appPort = 8080;
const pollMs = 20;
/** The tour's own requests are the only ones that count: the visitors stay at home. */
const noVisitors = [/(name: REQUESTS_PER_SECOND, value: )"\d+"/, '$1"0"'] as const;
/** Payments is as reliable as the rest, until the tour says otherwise. */
const noFailures = [/(name: FAIL_PERCENT, value: )"\d+"/, '$1"0"'] as const;

export class Shop implements AsyncDisposable {
  readonly mesh: Mesh;
  readonly client = new Client();
  readonly receiver: OtlpReceiver;
  readonly events: readonly MeshEvent[];
  readonly #folder: string;

  private constructor(mesh: Mesh, receiver: OtlpReceiver, events: readonly MeshEvent[], folder: string) {
    this.mesh = mesh;
    this.receiver = receiver;
    this.events = events;
    this.#folder = folder;
  }

  /** Resolves when every pod is ready. */
  static async open(signal: AbortSignal, onEvent: (event: MeshEvent) => void): Promise<Shop> {
    await using undo = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), "tulle-tour-"));
    undo.defer(() => rmSync(folder, { recursive: true, force: true }));
    for (const file of manifests) cpSync(join(demoFolder, file), join(folder, file));
    for (const change of [noVisitors, noFailures]) edit(join(folder, "shop.yaml"), ...change);
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
    await mesh.settled(signal);
    undo.move();
    return new Shop(mesh, receiver, events, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.mesh.stop();
    this.receiver.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The pods of a Deployment. Throws if there is none: nothing may be proven about nobody. */
  pods(workload: string): readonly [Pod, ...Pod[]] {
    const [first, ...others] = this.mesh.pods.filter(({ identity }) => identity.workload === workload);
    if (first === undefined) throw new Error(`no pod of ${workload} is there`);
    return [first, ...others];
  }

  podIP(workload: string): string {
    return this.pods(workload)[0].identity.podIP;
  }

  /** As the first pod of `workload` would ask. */
  ask(workload: string, ask: Ask): Promise<Answer> {
    return this.client.viaPod(this.podIP(workload), ask);
  }

  /** What most of the tour looks at: orders asks the catalog. */
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

  /** Edits policies.yaml, as a person would; the returned function puts the old text back. Throws if nothing changes. */
  editPolicies(from: string | RegExp, to: string): () => void {
    const path = join(this.#folder, "policies.yaml");
    const before = readFileSync(path, "utf8");
    edit(path, from, to);
    return () => writeFileSync(path, before);
  }
}

export const catalogs = ["catalog-v1", "catalog-v2"] as const;

/** Waits until something outside holds. Throws, naming it, when it does not within `withinMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const giveUpAtMs = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(pollMs);
  }
}

function edit(path: string, from: string | RegExp, to: string): void {
  const before = readFileSync(path, "utf8");
  const after = before.replace(from, to);
  if (after === before) throw new Error(`${path} holds nothing like ${String(from)}`);
  writeFileSync(path, after);
}

/** Only what the tour asks to be traced is traced, and sent at once. */
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
