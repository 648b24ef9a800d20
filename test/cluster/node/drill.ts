/**
 * A drill: something happens to the mesh or its workloads under load, and nothing is lost. The load is all that a mesh carries:
 * GETs, POSTs that the server counts, a long gRPC stream, and a caller without a sidecar. Each request is accounted for by its
 * client, and each POST by the server too.
 */

import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import {
  type Account,
  deployment,
  eventually,
  failuresOf,
  type KubernetesObject,
  type Program,
  podOf,
  service,
  start,
} from "./cluster.ts";

const ratePerSecond = Number(process.env["TULLE_NODE_RATE"] ?? 200);
const minSeconds = Number(process.env["TULLE_NODE_SECONDS"] ?? 60);
const outsidersShare = 0.2;
const talksShare = 0.05;
/** A timer's pace is a little behind the one that it was given. */
const paceKept = 0.95;
/** By a drill's client in the mesh, in the time that a drill takes. */
export const minSentInMesh = minSeconds * ratePerSecond * paceKept * (1 - outsidersShare);
const patienceMs = 2_000 * minSeconds + 60_000;
const tallyWithinMs = 10_000;
const talkPort = 7_070;

/** What counts the POSTs of a namespace. */
export function ledger(shop: string): KubernetesObject[] {
  return [
    ...deployment({ namespace: shop, name: "ledger", program: "ledger" }),
    service(shop, "ledger", { app: "ledger" }),
  ];
}

/** Answers a drill's clients. */
export function drillServer(shop: string, name: string, more: Partial<Program> = {}): KubernetesObject[] {
  const env = { LEDGER: "http://ledger/", TALK_PORT: String(talkPort), ...more.env };
  const ports = [
    { name: "http", containerPort: 8_080 },
    { name: "grpc", containerPort: talkPort },
  ];
  // All that callers without a sidecar have is kube-proxy, and on a busy machine that is seconds late.
  const annotations = { "tulle.dev/pre-stop-seconds": "10", ...more.annotations };
  const container = { ports, ...more.container };
  return deployment({ namespace: shop, name, program: "server", ...more, env, annotations, container });
}

export function drillService(shop: string, name: string, selector: Readonly<Record<string, string>>): KubernetesObject {
  return service(shop, name, selector, [
    { name: "http", port: 80, targetPort: 8_080, appProtocol: "http" },
    { name: "grpc", port: talkPort },
  ]);
}

/** `NAME-client` in the mesh and `NAME-outsider` without a sidecar: they call the drill's Service, at the drills' rate together. */
export function drillClients(shop: string, name: string): KubernetesObject[] {
  const client = (role: string, share: number, more: Partial<Program>) =>
    deployment({
      namespace: shop,
      name: `${name}-${role}`,
      program: "client",
      ...more,
      env: { URL: `http://${name}/`, POST_EVERY: "3", RATE: String(ratePerSecond * share), ...more.env },
    });
  const talk = { TALK_TO: `${name}:${talkPort}`, TALK_RATE: String(ratePerSecond * talksShare) };
  return [
    ...client("client", 1 - outsidersShare - talksShare, { env: talk }),
    ...client("outsider", outsidersShare, {
      env: { REPEATS_CROSSED: "yes" },
      labels: { "tulle.dev/inject": "disabled" },
    }),
  ];
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

  /** Of all that it has sent by now. */
  async settled(): Promise<Account> {
    const { sent } = this.account;
    return await this.until(`the end of its first ${sent} requests`, ({ settledTo }) => settledTo >= sent);
  }

  [Symbol.dispose](): void {
    this.#following.kill();
  }
}

export class Drill implements Disposable {
  readonly client: FollowedClient;
  readonly outsider: FollowedClient;
  readonly #shop: string;

  /** Of the clients that run already. */
  static async of(shop: string, name: string): Promise<Drill> {
    const drill = new Drill(shop, name);
    for (const client of [drill.client, drill.outsider])
      await client.until("answers", ({ settledTo }) => settledTo > 0);
    return drill;
  }

  private constructor(shop: string, name: string) {
    this.#shop = shop;
    this.client = new FollowedClient(shop, `deployment/${name}-client`);
    this.outsider = new FollowedClient(shop, `deployment/${name}-outsider`);
  }

  get #sent(): number {
    return this.client.account.sent + this.outsider.account.sent;
  }

  /** Of both clients, as many as they send in that time. */
  async sends(seconds: number, since = this.#sent): Promise<void> {
    const least = since + seconds * ratePerSecond * paceKept;
    const look = async () => (this.#sent >= least ? true : undefined);
    await eventually(`${this.#shop}: ${least} requests`, look, patienceMs);
  }

  /** What went wrong from just before `act` on, until it is over, and for `seconds` at least. Empty: nothing. */
  async failuresDuring(act: () => Promise<unknown>, seconds = minSeconds): Promise<object> {
    const [sent, client, outsider] = [this.#sent, this.client.account, this.outsider.account];
    await act();
    await this.sends(1); // what was sent during the last of it has its answer
    await this.sends(seconds, sent);
    const failures = {
      client: await newFailures(this.#shop, this.client, client),
      outsider: await newFailures(this.#shop, this.outsider, outsider),
    };
    return Object.fromEntries(Object.entries(failures).filter(([, found]) => Object.keys(found).length > 0));
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
    this.outsider[Symbol.dispose]();
  }
}

async function newFailures(shop: string, client: FollowedClient, before: Account): Promise<object> {
  const after = await client.settled();
  const counts = Object.entries(failuresOf(after)).map(([outcome, times]) => [
    outcome,
    times - (before.answers[outcome] ?? 0),
  ]);
  const grown = Object.fromEntries(counts.filter(([, times]) => times !== 0)) as Record<string, number>;
  return {
    ...grown,
    ...(Object.keys(grown).length > 0 && { last: after.lastFailure }),
    ...(await miscounted(shop, after)),
  };
}

/** Where an account does not come out even: with itself, or with the servers' tally of its POSTs. Empty: nowhere. */
export async function miscounted(shop: string, account: Account): Promise<object> {
  const { name, sent, underWay, answers, posts } = account;
  const [refused, unsure] = [new Set(posts.refused), new Set(posts.unsure)];
  const where = (isWrong: (post: number) => boolean) =>
    Array.from({ length: posts.settledTo }, (_, i) => i + 1).filter(isWrong);
  const lostBy = (times: readonly number[]) =>
    where((post) => (times[post] ?? 0) === 0 && !refused.has(post) && !unsure.has(post));
  // Servers tell it a moment later.
  const endAtMs = performance.now() + tallyWithinMs;
  const times = await eventually("the tally of all POSTs", async () => {
    const now = await askLedger<readonly number[]>(shop, `times/${name}`);
    return lostBy(now).length === 0 || performance.now() > endAtMs ? now : undefined;
  });
  const wrong = {
    lostPosts: lostBy(times),
    doubledPosts: where((post) => (times[post] ?? 0) > 1),
    takenThoughRefused: where((post) => (times[post] ?? 0) > 0 && refused.has(post)),
  };
  const unaccounted = sent - underWay - Object.values(answers).reduce((sum, count) => sum + count, 0);
  const found = Object.entries(wrong).filter(([, all]) => all.length > 0);
  return { ...Object.fromEntries(found), ...(unaccounted !== 0 && { unaccounted }) };
}

/** Pods whose program has told the ledger, as the last thing before its end, that it ends. */
export function endedOrderly(shop: string): Promise<readonly string[]> {
  return askLedger(shop, "ended");
}

async function askLedger<T>(shop: string, path: string): Promise<T> {
  const { status } = await podOf(shop, "app=ledger");
  return (await (await fetch(`http://${status.podIP}:8080/${path}`)).json()) as T;
}
