/**
 * Reports each pod that runs without the sidecar it should have, once, as an Event on it. Only the leading replica reports, and
 * only pods that it saw in two rounds: whoever labels a namespace restarts its pods next, and needs no reminder.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { type Log, reasonOf } from "../../system/log.ts";
import type { PodWithoutSidecar } from "../injection/pods-without-sidecar.ts";
import { type ClusterApi, describeAnswer } from "../kubernetes/cluster-api.ts";
import { faultEvent } from "./fault-events.ts";

export interface SidecarEventsOptions {
  readonly api: Pick<ClusterApi, "request">;
  readonly pods: () => readonly PodWithoutSidecar[];
  /** Checked before each Event. */
  readonly leads: () => boolean;
  /** Names this replica in Events. */
  readonly instance: string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly log: Log;
}

const roundMs = 30_000;
/** A whole cluster may have been labelled at once. */
const maxPerRound = 100;
const note =
  "it is to have a sidecar (label tulle.dev/inject) and runs without one: no policy holds for it, and its requests go in the clear. Restart its workload";

export class SidecarEvents {
  readonly #options: SidecarEventsOptions;
  /** By uid, the pods of the last round: whether each was reported. */
  #known = new Map<string, boolean>();

  constructor(options: SidecarEventsOptions) {
    this.#options = options;
  }

  /** Runs rounds until `signal`. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.round();
      await sleep(roundMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Never rejects: a failed report is tried again in the next round. */
  async round(): Promise<void> {
    const { pods, leads, log } = this.#options;
    const before = this.#known;
    this.#known = new Map();
    let reported = 0;
    for (const pod of pods()) {
      if (pod.uid === undefined) continue;
      const wasReported = before.get(pod.uid);
      this.#known.set(pod.uid, wasReported ?? false);
      if (wasReported !== false || reported === maxPerRound || !leads()) continue;
      reported++;
      const refusal = await this.#report(pod, pod.uid).catch(reasonOf);
      if (refusal === undefined) this.#known.set(pod.uid, true);
      else log("warn", "event not written", { reason: refusal });
    }
  }

  /** Undefined: done, or reported before by another replica. */
  async #report({ namespace, name }: PodWithoutSidecar, uid: string): Promise<string | undefined> {
    const { api, instance, wallClock } = this.#options;
    const now = new Date(wallClock()).toISOString().replace("Z", "000Z");
    const regarding = { apiVersion: "v1", kind: "Pod", namespace, name, uid };
    const body = faultEvent(
      regarding,
      { distinguishedBy: [uid], reason: "NoSidecar", action: "Inject", note },
      { instance, now },
    );
    const answer = await api.request({
      method: "POST",
      path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
      body,
    });
    // 404: its namespace is gone. 409: it was reported before.
    return answer.status < 300 || answer.status === 404 || answer.status === 409 ? undefined : describeAnswer(answer);
  }
}
