/**
 * One connection to the Redis whose URL is in a file: opened at the first command, and again after it broke, with growing
 * pauses. Each command is limited in time, including the wait for the connection. The URL holds a password, so it never
 * appears anywhere, not even in an error.
 *
 * ```
 *   idle ──run──▶ connecting ──▶ connected
 *    ▲                 │            │
 *    └─ pause over ─ pausing ◀──────┘ broken, silent for too long
 * ```
 */

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock, Random } from "../../model/clock.ts";
import type { Log } from "../../system/log.ts";
import type { RedisClient } from "./redis-client.ts";

export interface RedisConnectionOptions {
  /**
   * Undefined: there is no Redis, and every command fails. A file `ca.crt` beside it has the authorities for a `rediss://` URL;
   * without it, those that Node trusts are used.
   */
  readonly urlFile: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export type Reply =
  | { readonly ok: true; readonly value: unknown }
  /** `sent`: the command may have been executed anyway. */
  | { readonly ok: false; readonly sent: boolean };

/** How long a reply may take once the command was sent. */
const commandMs = 1_000;
/** How long a command may wait for the connection, including loading the library. */
const waitMs = 3_000;
const connectMs = 1_000;
const firstPauseMs = 100;
const maxPauseMs = 2_000;

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly client: Promise<RedisClient> }
  | { readonly kind: "connected"; readonly client: RedisClient }
  | { readonly kind: "pausing"; readonly untilMs: number }
  | { readonly kind: "closed" };

export class RedisConnection {
  readonly #options: RedisConnectionOptions;
  #state: State = { kind: "idle" };
  /** Failures since the last successful connection. */
  #failures = 0;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
  }

  /** Strings in the reply are Buffers. `done` is called once, later. */
  run(command: readonly (string | Buffer)[], done: (reply: Reply) => void): void {
    let sentTo: RedisClient | undefined;
    let answered = false;
    const settle = (reply: Reply): void => {
      if (answered) return;
      answered = true;
      clearTimeout(timer);
      done(reply);
    };
    const giveUp = (): void => {
      if (sentTo !== undefined) this.#break(sentTo, "silent");
      settle({ ok: false, sent: sentTo !== undefined });
    };
    let timer = setTimeout(giveUp, waitMs);
    const send = async (): Promise<unknown> => {
      const client = await this.#client();
      if (answered) return undefined; // too late
      sentTo = client;
      clearTimeout(timer);
      timer = setTimeout(giveUp, commandMs);
      return client.sendCommand(command);
    };
    send().then(
      (value) => settle({ ok: true, value }),
      () => {
        if (sentTo?.isReady === false) this.#break(sentTo, "broken");
        settle({ ok: false, sent: sentTo !== undefined });
      },
    );
  }

  close(): void {
    const state = this.#state;
    this.#state = { kind: "closed" };
    if (state.kind === "connected") state.client.destroy();
  }

  /** Rejects during a pause, so that the caller is told at once. */
  #client(): Promise<RedisClient> {
    const { clock } = this.#options;
    if (this.#state.kind === "pausing" && clock.now() >= this.#state.untilMs) this.#state = { kind: "idle" };
    switch (this.#state.kind) {
      case "connected":
        return Promise.resolve(this.#state.client);
      case "connecting":
        return this.#state.client;
      case "idle": {
        const client = this.#connect();
        this.#state = { kind: "connecting", client };
        return client;
      }
      case "pausing":
      case "closed":
        return Promise.reject(new Error("not connected"));
    }
  }

  async #connect(): Promise<RedisClient> {
    const { urlFile, log } = this.#options;
    try {
      const client = await openClient(urlFile, (broken) => this.#break(broken, "broken"));
      if (this.#state.kind === "closed") client.destroy();
      else this.#state = { kind: "connected", client };
      if (this.#failures > 0) log("info", "redis is reached again");
      this.#failures = 0;
      return client;
    } catch (error) {
      this.#pause(codeOf(error));
      throw error;
    }
  }

  /** Tells everyone who waits for a reply on it that there is none. */
  #break(client: RedisClient, reason: string): void {
    if (this.#state.kind !== "connected" || this.#state.client !== client) return;
    this.#pause(reason);
    client.destroy();
  }

  /** Logs only the first of several failures in a row. */
  #pause(reason: string): void {
    if (this.#state.kind === "closed") return;
    const { clock, random, log } = this.#options;
    if (this.#failures === 0) log("warn", "redis can't be reached", { reason });
    const pauseMs = Math.min(firstPauseMs * 2 ** this.#failures++, maxPauseMs);
    this.#state = { kind: "pausing", untilMs: clock.now() + pauseMs * (0.5 + random() / 2) };
  }
}

/**
 * Reads the file for each connection, because a Secret may get another password at any time. The library is loaded here, and
 * nowhere else.
 */
async function openClient(urlFile: string | undefined, onBroken: (client: RedisClient) => void): Promise<RedisClient> {
  if (urlFile === undefined) throw new Error("TULLE_REDIS_URL_FILE is not set");
  const [url, ca, { connectTo }] = await Promise.all([
    readFile(urlFile, "utf8"),
    readIfThere(join(dirname(urlFile), "ca.crt")),
    import("./redis-client.ts"),
  ]);
  return connectTo({ url: url.trim(), ca }, connectMs, onBroken);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * A short word that contains no part of a URL: the code of a system error, or the first word of Redis' own message, such as
 * `WRONGPASS`.
 */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  if ("code" in error && typeof error.code === "string" && /^[A-Z_0-9]{1,40}$/.test(error.code)) return error.code;
  return /^[A-Z]{3,20}(?= )/.exec(error.message)?.[0] ?? error.name;
}
