/**
 * `tulle.v1.Replicas`: tells other replicas of this control plane what its sidecars have in force, and which roots they trust.
 * Only for the control plane's own identity: nobody else may learn which sidecars there are.
 *
 * What is to be sent is kept as names: a slow follower gets the newest figures once it reads again.
 */

import { status } from "@grpc/grpc-js";
import { encodeName } from "../../proto/encode.ts";
import type { AckTable } from "../../proto/generated/tulle/v1/AckTable.ts";
import { framed } from "../../proto/message-reader.ts";
import { encodeMessage } from "../../proto/wire.ts";
import type { Log } from "../../system/log.ts";
import type { ServerCall } from "../grpc/server-call.ts";
import { controlPlaneIdentity } from "../identity/own-certificate.ts";
import type { SidecarCertificates } from "../identity/sidecar-certificates.ts";
import { endAtExpiry, identifyCaller } from "../push/caller.ts";
import type { PushHub } from "../push/push-hub.ts";
import { type ResourceKey, resourceKey, splitKey } from "../push/resource-key.ts";
import { encodeAcks } from "./ack-table.ts";
import { encodeHoldings, encodeSidecar, type ReplicaHoldings } from "./certificate-table.ts";

export const followMethod = "/tulle.v1.Replicas/Follow";

export interface ReplicaServiceOptions {
  /** Identifies this process among all replicas. */
  readonly replica: string;
  readonly hub: PushHub;
  readonly certificates: SidecarCertificates;
  /** The roots that this replica trusts and the key it signs with, as of now. */
  readonly holdings: () => ReplicaHoldings;
  readonly trustDomain: string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly log: Log;
}

/** Acks come in bursts: changes within this time are sent together. */
const windowMs = 200;
const resourcesPerMessage = 500;
const sidecarsPerMessage = 500;
/** What a replica itself holds changes rarely, and without notice, so it is polled. */
const holdingsEveryMs = 1_000;

export class ReplicaService {
  readonly #options: ReplicaServiceOptions;
  readonly #followers = new Set<Follower>();

  constructor(options: ReplicaServiceOptions) {
    this.#options = options;
  }

  /** Ends all streams, so that followers learn at once that this replica is gone. */
  close(): void {
    for (const follower of this.#followers) follower.end(status.UNAVAILABLE, "the control plane is stopping");
  }

  readonly answer = (call: ServerCall): void => {
    const { trustDomain, wallClock, log } = this.#options;
    const follower: Follower = new Follower(call, this.#options, () => this.#followers.delete(follower));
    const caller = identifyCaller(call.certificateDer, trustDomain);
    if (!caller.ok || caller.value.identity !== controlPlaneIdentity(trustDomain)) {
      log("warn", "follower refused", { caller: call.caller });
      follower.refuse("only for replicas of the control plane");
      return;
    }
    this.#followers.add(follower);
    follower.start(
      endAtExpiry(caller.value, wallClock, () =>
        follower.end(status.UNAUTHENTICATED, "the client certificate has expired"),
      ),
    );
  };
}

class Follower {
  readonly #call: ServerCall;
  readonly #options: ReplicaServiceOptions;
  readonly #onLeft: () => void;
  readonly #due = new Set<ResourceKey>();
  /** The numbers of streams that were added or removed. */
  readonly #dueSidecars = new Set<number>();
  /** What was last sent about this replica itself. */
  #toldHoldings = "";
  #stopWatching: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #ended = false;

  constructor(call: ServerCall, options: ReplicaServiceOptions, onLeft: () => void) {
    this.#call = call;
    this.#options = options;
    this.#onLeft = onLeft;
    // The method's name says what is asked, so the message is ignored.
    call.listen({
      drained: () => {
        this.#stopped = false;
        this.#flush();
      },
      closed: () => this.#leave(),
    });
  }

  /** `onEnd` is called when the stream has ended, whatever ended it. */
  start(onEnd: () => void): void {
    const { hub, certificates } = this.#options;
    const stopWatching = hub.watchAcks((key) => this.#markDue(key));
    const stopWatchingSidecars = certificates.watch((stream) => {
      this.#dueSidecars.add(stream);
      this.#flushSoon();
    });
    const asking = setInterval(() => this.#flush(), holdingsEveryMs).unref();
    this.#stopWatching = () => {
      stopWatching();
      stopWatchingSidecars();
      clearInterval(asking);
      onEnd();
    };
    if (this.#ended) return this.#stopWatching();
    for (const { kind, name } of hub.acks()) this.#due.add(resourceKey(kind, name));
    for (const stream of certificates.all.keys()) this.#dueSidecars.add(stream);
    this.#flush();
  }

  end(code: status, details: string): void {
    this.#leave();
    this.#call.end(code, details);
  }

  /** Refuses a caller with another identity. */
  refuse(details: string): void {
    this.#leave();
    this.#call.refuse("identity", status.PERMISSION_DENIED, details);
  }

  #leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#stopWatching();
    this.#onLeft();
  }

  #markDue(key: ResourceKey): void {
    this.#due.add(key);
    this.#flushSoon();
  }

  #flushSoon(): void {
    this.#timer ??= setTimeout(() => this.#flush(), windowMs).unref();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushCertificates();
    const { replica, hub } = this.#options;
    while (this.#due.size > 0 && !this.#stopped && !this.#ended) {
      const keys = [...this.#due].slice(0, resourcesPerMessage);
      for (const key of keys) this.#due.delete(key);
      const acks = keys.map((key) => hub.acksOf(...splitKey(key)));
      const [dropped, kept] = [acks.filter(hasNoSubscribers), acks.filter((one) => !hasNoSubscribers(one))];
      this.#write({
        replica,
        resources: kept.map(encodeAcks),
        dropped: dropped.map(({ kind, name }) => encodeName(kind, name)),
      });
    }
  }

  /** Sent first, and even without any sidecars, because it says which replica answers. */
  #flushCertificates(): void {
    const { replica, certificates, holdings } = this.#options;
    const held = encodeHoldings(holdings());
    const text = JSON.stringify(held);
    while ((this.#dueSidecars.size > 0 || text !== this.#toldHoldings) && !this.#stopped && !this.#ended) {
      const streams = [...this.#dueSidecars].slice(0, sidecarsPerMessage);
      for (const stream of streams) this.#dueSidecars.delete(stream);
      const [left, joined] = [[] as number[], [] as ReturnType<typeof encodeSidecar>[]];
      for (const stream of streams) {
        const sidecar = certificates.get(stream);
        if (sidecar === undefined) left.push(stream);
        else joined.push(encodeSidecar(stream, sidecar));
      }
      this.#toldHoldings = text;
      this.#write({ replica, certificates: { ...held, joined, left } });
    }
  }

  #write(table: AckTable): void {
    this.#stopped = !this.#call.write(framed(encodeMessage("AckTable", table)));
  }
}

function hasNoSubscribers({ subscribers }: { readonly subscribers: number }): boolean {
  return subscribers === 0;
}
