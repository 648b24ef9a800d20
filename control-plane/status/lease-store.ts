/** A Lease of `coordination.k8s.io/v1` in the API server. Its times are for people: no decision is made by them. */

import { type ApiAnswer, type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { isRecord } from "../source/kube-object.ts";
import type { Lease, LeaseStore } from "./leadership.ts";

/** The name of the Lease whose holder writes statuses. */
export const leaseName = "tulle-status-writer";
/** A leader must learn in time that it can't renew. */
const timeoutMs = 3_000;
const apiVersion = "coordination.k8s.io/v1";

export class ApiLeaseStore implements LeaseStore {
  readonly #api: Pick<ClusterApi, "request">;
  readonly #namespace: string;
  readonly #name: string;
  readonly #wallClock: () => number;

  constructor(api: Pick<ClusterApi, "request">, namespace: string, name: string, wallClock: () => number) {
    this.#api = api;
    this.#namespace = namespace;
    this.#name = name;
    this.#wallClock = wallClock;
  }

  async read(): Promise<Lease | undefined> {
    const answer = await this.#api.request({ path: this.#path, timeoutMs });
    return answer.status === 404 ? undefined : leaseOf(answer);
  }

  async create({ holder, durationMs, transitions }: Omit<Lease, "version">): Promise<Lease | undefined> {
    const now = this.#now();
    const body = {
      apiVersion,
      kind: "Lease",
      metadata: { namespace: this.#namespace, name: this.#name },
      spec: { ...held(holder, durationMs), leaseTransitions: transitions, acquireTime: now, renewTime: now },
    };
    const answer = await this.#api.request({ method: "POST", path: this.#collection, body, timeoutMs });
    return answer.status === 409 ? undefined : leaseOf(answer);
  }

  take(over: Lease, holder: string, durationMs: number): Promise<Lease | undefined> {
    const now = this.#now();
    const leaseTransitions = over.transitions + 1;
    return this.#patch(over, { ...held(holder, durationMs), leaseTransitions, acquireTime: now, renewTime: now });
  }

  renew(over: Lease): Promise<Lease | undefined> {
    return this.#patch(over, { renewTime: this.#now() });
  }

  get #collection(): string {
    return `/apis/${apiVersion}/namespaces/${this.#namespace}/leases`;
  }

  get #path(): string {
    return `${this.#collection}/${this.#name}`;
  }

  /** Patches only the version that was read. */
  async #patch({ version }: Lease, spec: object): Promise<Lease | undefined> {
    const answer = await this.#api.request({
      method: "PATCH",
      path: this.#path,
      contentType: "application/merge-patch+json",
      body: { metadata: { resourceVersion: version }, spec },
      timeoutMs,
    });
    return answer.status === 409 || answer.status === 404 ? undefined : leaseOf(answer);
  }

  /** `metav1.MicroTime` requires six digits. */
  #now(): string {
    return new Date(this.#wallClock()).toISOString().replace("Z", "000Z");
  }
}

/** The API server does not accept an empty holder; `null` in a merge patch removes it. */
function held(holder: string, durationMs: number): object {
  return { holderIdentity: holder === "" ? null : holder, leaseDurationSeconds: durationMs / 1000 };
}

/** Throws if the answer contains no Lease. */
function leaseOf(answer: ApiAnswer): Lease {
  const { status, body } = answer;
  if (status >= 300 || !isRecord(body)) throw new Error(describeAnswer(answer));
  const { metadata, spec } = body;
  const version = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
  if (typeof version !== "string") throw new Error("a Lease without a resourceVersion");
  const { holderIdentity, leaseDurationSeconds, leaseTransitions } = isRecord(spec) ? spec : {};
  return {
    version,
    holder: typeof holderIdentity === "string" ? holderIdentity : "",
    durationMs: typeof leaseDurationSeconds === "number" ? leaseDurationSeconds * 1000 : 0,
    transitions: typeof leaseTransitions === "number" ? leaseTransitions : 0,
  };
}
