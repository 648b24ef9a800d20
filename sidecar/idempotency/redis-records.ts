/**
 * The records that all replicas of a workload share, in Redis. One value per key, changed by scripts, each of which is
 * atomic:
 *
 * ```
 *   nothing ──claim──▶ claim of one owner ──keep──▶ record ──ttl──▶ nothing
 *      ▲                  │  renewed      └─release with a failure──▶ failure: as nothing to who claims
 *      └──lease over──────┴──release
 * ```
 * Only the owner changes its claim, so an owner that was considered dead and comes back changes nothing. If Redis loses a
 * claim, its owner restores it unless somebody else has claimed the key.
 */

import type { Clock, Random } from "../../model/clock.ts";
import { Timer, type TimerWheel } from "../net/timer-wheel.ts";
import type { KeyRecord } from "./answer.ts";
import { decodeStored, encodeClaim, encodeRecord } from "./record-codec.ts";
import type { Claim, ClaimState, Found, RecordStore } from "./record-store.ts";
import type { RedisConnection, Reply } from "./redis-connection.ts";

/** What a call should do, for the metrics. */
export type StoreOperation = "claim" | "look" | "renew" | "keep" | "release";

export interface RedisRecordsOptions {
  readonly connection: Pick<RedisConnection, "run">;
  /** `namespace/workload`: other workloads have keys of their own. */
  readonly workload: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  readonly failed: (operation: StoreOperation) => void;
}

/** A claim expires if its owner does not renew it for this long. */
const leaseMs = 30_000;
const renewEveryMs = 10_000;
/** A failed write is repeated this often, for up to this long. */
const writeAgainMs = 500;
const keepForMs = 60_000;
/** Long enough for everyone who waits to look. */
const failureMs = 5_000;

/** A new claim may replace a failure. Returns what prevents it, if anything. */
const claimScript = `
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 1) ~= 'f' then return v end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`;

/** Replaces the owner's claim, or nothing; repeating it does no harm. Returns 0 if somebody else has the key. */
const putScript = `
local v = redis.call('GET', KEYS[1])
if v and v ~= ARGV[1] and v ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`;

const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`;

export class RedisRecords implements RecordStore {
  readonly #options: RedisRecordsOptions;
  /** Distinguishes this process's claims from all others. */
  readonly #owner: string;
  #claims = 0;

  constructor(options: RedisRecordsOptions) {
    this.#options = options;
    const part = () => Math.floor(options.random() * 2 ** 48).toString(36);
    this.#owner = `${part()}${part()}`;
    // Connects early, so that the first request does not wait for that.
    options.connection.run(["PING"], () => {});
  }

  claim(name: string, done: (found: Found) => void): undefined {
    const { connection, workload, failed } = this.#options;
    const key = `tulle:idempotency:${workload}:${name}`;
    const claim = encodeClaim(`${this.#owner}.${++this.#claims}`);
    connection.run(evalOf(claimScript, key, claim, leaseMs), (reply) => {
      const found = this.#readClaim(key, claim, reply);
      if (found.kind === "unavailable") {
        failed("claim");
        if (!reply.ok && reply.sent) new HeldClaim(key, claim, this.#options).release();
      }
      done(found);
    });
  }

  #readClaim(key: string, claim: string, reply: Reply): Found {
    if (!reply.ok) return unavailable;
    if (reply.value === null) {
      const held = new HeldClaim(key, claim, this.#options);
      held.hold();
      return { kind: "claimed", claim: held };
    }
    const stored = storedIn(reply.value);
    switch (stored.kind) {
      case "record":
        return { kind: "recorded", record: stored.record };
      case "claim":
        return { kind: "elsewhere", poll: (done) => this.#poll(key, done) };
      case "failure":
      case "unknown":
        return unavailable;
    }
  }

  #poll(key: string, done: (state: ClaimState) => void): void {
    const { connection, failed } = this.#options;
    connection.run(["GET", key], (reply) => {
      const state = readState(reply);
      if (state.kind === "unavailable") failed("look");
      done(state);
    });
  }
}

function readState(reply: Reply): ClaimState {
  if (!reply.ok) return unavailable;
  if (reply.value === null) return { kind: "nothing" };
  const stored = storedIn(reply.value);
  switch (stored.kind) {
    case "record":
    case "failure":
      return { kind: "recorded", record: stored.record };
    case "claim":
      return { kind: "in-flight" };
    case "unknown":
      return unavailable;
  }
}

const unavailable = { kind: "unavailable" } as const;

function storedIn(value: unknown) {
  return Buffer.isBuffer(value) ? decodeStored(value) : ({ kind: "unknown" } as const);
}

function evalOf(
  script: string,
  key: string,
  claim: string,
  ...more: (number | Buffer | string)[]
): (string | Buffer)[] {
  const rest = more.map((argument) => (typeof argument === "number" ? String(argument) : argument));
  return ["EVAL", script, "1", key, claim, ...rest];
}

/** The final write for a claim. */
interface Write {
  readonly operation: "keep" | "release";
  readonly command: readonly (string | Buffer)[];
  readonly untilMs: number;
}

/** Renews a claim until it is settled, then writes the result, repeatedly if necessary. */
class HeldClaim extends Timer implements Claim {
  readonly #key: string;
  readonly #claim: string;
  readonly #options: RedisRecordsOptions;
  /** Undefined: the claim is still held. */
  #write: Write | undefined;

  constructor(key: string, claim: string, options: RedisRecordsOptions) {
    super();
    this.#key = key;
    this.#claim = claim;
    this.#options = options;
  }

  hold(): void {
    this.#options.wheel.arm(this, renewEveryMs);
  }

  keep(record: KeyRecord, ttlMs: number): void {
    this.#settle("keep", evalOf(putScript, this.#key, this.#claim, encodeRecord("record", record), ttlMs), keepForMs);
  }

  release(failure?: KeyRecord): void {
    const command =
      failure === undefined
        ? evalOf(releaseScript, this.#key, this.#claim)
        : evalOf(putScript, this.#key, this.#claim, encodeRecord("failure", failure), failureMs);
    this.#settle("release", command, leaseMs);
  }

  override expire(): void {
    if (this.#write === undefined) this.#renew();
    else this.#put(this.#write);
  }

  /** A claim that somebody else has taken meanwhile is lost: writing its result will be refused. */
  #renew(): void {
    const { connection, wheel, failed } = this.#options;
    connection.run(evalOf(putScript, this.#key, this.#claim, this.#claim, leaseMs), (reply) => {
      if (!reply.ok || reply.value === 0) failed("renew");
      if (this.#write === undefined) wheel.arm(this, reply.ok ? renewEveryMs : writeAgainMs);
    });
  }

  #settle(operation: Write["operation"], command: Write["command"], forMs: number): void {
    const { clock, wheel } = this.#options;
    wheel.clear(this);
    this.#write = { operation, command, untilMs: clock.now() + forMs };
    this.#put(this.#write);
  }

  #put({ operation, command, untilMs }: Write): void {
    const { connection, clock, wheel, failed } = this.#options;
    connection.run(command, (reply) => {
      if (reply.ok && reply.value === 1) return;
      failed(operation);
      if (!reply.ok && clock.now() < untilMs) wheel.arm(this, writeAgainMs);
    });
  }
}
