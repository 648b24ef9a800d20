/** A socket without a network: a million connections a minute, each byte where the fuzzer wants it. */

import * as net from "node:net";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { HandClock } from "../support/hand-clock.ts";

const clock = new HandClock(1);
const timers = new TimerWheel(clock, { drive: false });
/** Longer than a closed connection keeps a timer armed. */
const lingerMs = 2_000;

/** For all connections of a thread: a wheel costs more than most inputs. Time stands still but in `letTimePass`. */
export const stillTime = { clock, timers };

export function letTimePass(): void {
  clock.advance(lingerMs);
  timers.advance();
}

type Written = (error?: Error | null) => void;

export class MemorySocket extends net.Socket {
  readonly #written: Buffer[] = [];

  /** What the codec under test has sent. */
  get sent(): Buffer {
    return Buffer.concat(this.#written);
  }

  /** Bytes from the peer, whether they are wanted or not: they were on their way. */
  deliver(bytes: Buffer): void {
    if (!this.destroyed) this.emit("data", bytes);
  }

  /** The peer sends no more. */
  deliverEnd(): void {
    if (!this.destroyed) this.emit("end");
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, written: Written): void {
    this.#written.push(Buffer.from(chunk));
    written();
  }

  override _writev(chunks: { chunk: Buffer }[], written: Written): void {
    for (const { chunk } of chunks) this.#written.push(Buffer.from(chunk));
    written();
  }
}

/** Lets outboxes flush and sockets close. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
