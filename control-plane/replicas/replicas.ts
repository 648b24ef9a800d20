/**
 * The other replicas of this control plane: found by name, each followed over one stream, and summed up. A replica that
 * can't be reached is not counted: its sidecars move to others.
 */

import type { ResourceKind } from "../../model/resources.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import type { Census } from "../identity/census.ts";
import type { ServerCertificate } from "../identity/server-certificate.ts";
import type { ResourceAcks } from "../push/acks.ts";
import { type ResourceKey, resourceKey } from "../push/resource-key.ts";
import { mergeAcks } from "./ack-table.ts";
import { FollowedReplica } from "./followed-replica.ts";

export interface ReplicasOptions {
  /** Identifies this process among all replicas. */
  readonly replica: string;
  /** `host:port` of every current replica, perhaps including this one. */
  readonly find: () => Promise<readonly string[]>;
  /** This control plane's current certificate. */
  readonly certificate: () => ServerCertificate;
  readonly identity: string;
  /** The figures of other replicas have changed. */
  readonly onChange: (keys: readonly ResourceKey[]) => void;
  readonly log: Log;
}

/** How often the list of replicas is looked up; also the time after which a lost one is dialled again. */
const findEveryMs = 2_000;

export class OtherReplicas {
  readonly #options: ReplicasOptions;
  readonly #followed = new Map<string, FollowedReplica>();
  /** Addresses at which this replica has met itself. */
  readonly #own = new Set<string>();
  /** The names of replicas met at a second address, by that address; they are followed at another one. */
  readonly #aliases = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #lost: string | undefined = "not looked for yet";
  #found: ReadonlySet<string> = new Set();

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /** The replicas that have reported. */
  get names(): readonly string[] {
    return [...this.#followed.values()].flatMap(({ name }) => name ?? []).sort();
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const replica of this.#followed.values()) replica.close();
  }

  /** Sums up a resource over all replicas, given what this one knows. */
  merge(own: ResourceAcks): ResourceAcks {
    const key = resourceKey(own.kind, own.name);
    const others = [...this.#followed.values()].flatMap((replica) => replica.acksOf(key) ?? []);
    return others.length === 0 ? own : mergeAcks(own, others);
  }

  /** Whether a sidecar of another replica has subscribed. */
  wants(kind: ResourceKind, name: string): boolean {
    const key = resourceKey(kind, name);
    return [...this.#followed.values()].some((replica) => replica.acksOf(key) !== undefined);
  }

  /** What all other replicas and their sidecars hold, and which replicas have not reported. */
  certificates(): Census {
    const replicas: Census["replicas"][number][] = [];
    const unheard: string[] = this.#lost === undefined ? [] : [`names: ${this.#lost}`];
    for (const address of this.#found) {
      if (this.#own.has(address) || this.#isAlias(address)) continue;
      const replica = this.#followed.get(address);
      const held = replica?.certificates;
      if (held !== undefined) replicas.push(held);
      else unheard.push(address);
    }
    return { replicas, unheard };
  }

  async #look(): Promise<void> {
    try {
      const found = new Set(await this.#options.find());
      if (this.#stopped) return;
      this.#found = found;
      for (const [address, replica] of this.#followed) if (!found.has(address)) replica.close();
      for (const address of this.#own) if (!found.has(address)) this.#own.delete(address);
      for (const address of this.#aliases.keys()) if (!found.has(address)) this.#aliases.delete(address);
      for (const address of found)
        if (!this.#followed.has(address) && !this.#own.has(address) && !this.#isAlias(address)) this.#follow(address);
      this.#lost = undefined;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#lost) this.#options.log("warn", "replicas not found", { reason });
      this.#lost = reason;
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), findEveryMs).unref();
  }

  #follow(address: string): void {
    const { replica, certificate, identity, onChange, log } = this.#options;
    const followed: FollowedReplica = new FollowedReplica({
      address,
      replica,
      certificate: certificate(),
      identity,
      onChange: (keys) => {
        if (followed.name !== undefined && this.#isKnown(followed)) return followed.close();
        onChange(keys);
      },
      onEnd: (reason) => {
        this.#followed.delete(address);
        if (followed.name !== undefined && followed.name !== replica)
          log("info", "replica left", { replica: followed.name, address, reason });
      },
    });
    this.#followed.set(address, followed);
  }

  /** Whether it is this replica itself, or one that is followed at another of its addresses. */
  #isKnown(met: FollowedReplica): boolean {
    if (met.name === this.#options.replica) {
      this.#own.add(met.address);
      return true;
    }
    const known = [...this.#followed.values()].some((other) => other !== met && other.name === met.name);
    if (known && met.name !== undefined) this.#aliases.set(met.address, met.name);
    return known;
  }

  #isAlias(address: string): boolean {
    const name = this.#aliases.get(address);
    return name !== undefined && this.names.includes(name);
  }
}
