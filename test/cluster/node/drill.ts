/** A drill: something happens to the mesh or its workloads under load, and the client says what it met. */

import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { type Account, deployment, eventually, failuresOf, type KubernetesObject, start } from "./cluster.ts";

export const ratePerSecond = Number(process.env["TULLE_NODE_RATE"] ?? 200);
const leastSeconds = Number(process.env["TULLE_NODE_SECONDS"] ?? 60);
/** A timer's pace is a little behind the one that it was given. */
export const leastSent = leastSeconds * ratePerSecond * 0.95;
const patienceMs = 2_000 * leastSeconds + 60_000;

/** Sends to `url` at the drills' rate. */
export function drillClient(shop: string, name: string, url: string): KubernetesObject[] {
  return deployment({ namespace: shop, name, program: "client", env: { URL: url, RATE: String(ratePerSecond) } });
}

/** A client's account as it goes on, second by second. */
export class FollowedClient implements Disposable {
  /** Ends with the pod. */
  readonly ended: Promise<void>;
  readonly #name: string;
  readonly #following: ChildProcess;
  #account: Account | undefined;

  /** `pod`: a name, or `deployment/…`. */
  constructor(shop: string, pod: string) {
    this.#name = `${shop} ${pod}`;
    const following = start("kubectl", ["-n", shop, "logs", pod, "-c", "client", "--tail=1", "--follow"]);
    const lines = createInterface({ input: following.stdout });
    lines.on("line", (line) => {
      this.#account = JSON.parse(line) as Account;
    });
    this.ended = new Promise((resolve) => lines.once("close", resolve));
    this.#following = following;
  }

  /** Of a second ago, at most. */
  get account(): Account {
    if (this.#account === undefined) throw new Error(`${this.#name} has not said anything yet`);
    return this.#account;
  }

  until(what: string, holds: (account: Account) => boolean): Promise<Account> {
    const look = async () => (this.#account !== undefined && holds(this.#account) ? this.#account : undefined);
    return eventually(`${this.#name}: ${what}`, look, patienceMs);
  }

  /** From the next account on. */
  async sendsMore(requests: number): Promise<Account> {
    const { sent } = this.account;
    return await this.until(`${requests} requests more`, (now) => now.sent >= sent + requests);
  }

  /** What failed from just before `act` on, until it is over, and `least` requests have been sent. Empty: nothing. */
  async failuresDuring(act: () => Promise<unknown>, least = leastSent): Promise<object> {
    const before = this.account;
    await act();
    await this.sendsMore(ratePerSecond); // what was sent during the last of it has its answer
    const after = await this.until("enough requests", ({ sent }) => sent >= before.sent + least);
    return newFailures(before, after);
  }

  [Symbol.dispose](): void {
    this.#following.kill();
  }
}

function newFailures(before: Account, after: Account): object {
  const counts = Object.entries(failuresOf(after)).map(([outcome, times]) => [
    outcome,
    times - (before.answers[outcome] ?? 0),
  ]);
  const grown = Object.fromEntries(counts.filter(([, times]) => times !== 0)) as Record<string, number>;
  return Object.keys(grown).length === 0 ? {} : { ...grown, last: after.lastFailure };
}
