/**
 * One coarse timer for all deadlines: arming and clearing cost a few assignments, no allocation and no libuv timer.
 * Coarse means late by up to one tick, never early.
 *
 * Sockets are served before timers. If the process was not scheduled for a while, both are due at once, and what others
 * sent in time lies unread in its sockets: none of them must be considered late for that.
 */

import type { Clock } from "../../model/clock.ts";

/**
 * Something that happens later unless it is cleared. Reusable, armed at most once at a time.
 * All fields but `expire` are the wheel's own; a class that has another base declares them itself.
 */
export interface TimerEntry {
  /** The list it is in; undefined: not armed. */
  slot: TimerSlot | undefined;
  previous: TimerEntry | undefined;
  next: TimerEntry | undefined;
  /** A whole number of ticks, which V8 stores in place: milliseconds would allocate each time it is armed. */
  dueTick: number;
  expire(): void;
}

export abstract class Timer implements TimerEntry {
  slot: TimerSlot | undefined;
  previous: TimerEntry | undefined;
  next: TimerEntry | undefined;
  dueTick = 0;

  abstract expire(): void;
}

export interface TimerSlot {
  first: TimerEntry | undefined;
}

const tickMs = 10;
const slots = 1024;
/**
 * While nothing is due within so many ticks, the wheel turns only this often: most deadlines are seconds away and never
 * expire.
 */
const restTicks = 5;
const restMs = restTicks * tickMs;
/** If a turn is later than this, the process was not running. */
const graceMs = 40;

export class TimerWheel {
  /**
   * How long this process was not running, in total, while a timer was armed. For code that judges others by exchanges of
   * several steps, which could not proceed in that time.
   */
  heldUpMs = 0;
  readonly #clock: Clock;
  readonly #slots: TimerSlot[] = Array.from({ length: slots }, () => ({ first: undefined }));
  #armed = 0;
  /** The last tick whose slot was looked at. */
  #tick: number;
  #interval: NodeJS.Timeout | undefined;
  /** `tickMs`, or `restMs` while nothing is due soon. */
  #everyMs = tickMs;
  #lookedAtMs = 0;
  readonly #drive: boolean;

  /** With `drive: false` nothing happens until `advance` is called, for tests with a hand-driven clock. */
  constructor(clock: Clock, options: { drive?: boolean } = {}) {
    this.#clock = clock;
    this.#tick = Math.floor(clock.now() / tickMs);
    this.#drive = options.drive ?? true;
  }

  /** The clock by which timers are armed. */
  now(): number {
    return this.#clock.now();
  }

  /** Arms or re-arms. */
  arm(timer: TimerEntry, delayMs: number): void {
    this.clear(timer);
    const now = this.#clock.now();
    if (this.#armed === 0) this.#tick = Math.floor(now / tickMs);
    // Rounded up, and never the slot that is being looked at.
    const tick = Math.max(Math.ceil((now + delayMs) / tickMs), this.#tick + 1);
    timer.dueTick = tick;
    const slot = this.#slots[tick % slots] as TimerSlot;
    timer.slot = slot;
    timer.previous = undefined;
    timer.next = slot.first;
    if (slot.first !== undefined) slot.first.previous = timer;
    slot.first = timer;
    this.#armed++;
    if (!this.#drive) return;
    const isSoon = tick - Math.floor(now / tickMs) <= restTicks;
    if (this.#interval === undefined || (isSoon && this.#everyMs > tickMs)) this.#pace(isSoon ? tickMs : restMs, now);
  }

  clear(timer: TimerEntry): void {
    const { slot } = timer;
    if (slot === undefined) return;
    if (timer.previous === undefined) slot.first = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== undefined) timer.next.previous = timer.previous;
    timer.slot = timer.previous = timer.next = undefined;
    this.#armed--;
    if (this.#armed > 0 || this.#interval === undefined) return;
    clearInterval(this.#interval);
    this.#interval = undefined;
  }

  /** Looks this often from now on. */
  #pace(everyMs: number, now: number): void {
    if (this.#interval === undefined) this.#lookedAtMs = now;
    else this.#noteLook(now);
    clearInterval(this.#interval);
    this.#everyMs = everyMs;
    // In a turn of the event loop, sockets come between the two.
    this.#interval = setInterval(() => setImmediate(this.#look), everyMs).unref();
  }

  readonly #look = (): void => {
    const now = this.#clock.now();
    this.#noteLook(now);
    this.advance();
    const everyMs = this.#isDueSoon() ? tickMs : restMs;
    if (this.#interval !== undefined && everyMs !== this.#everyMs) this.#pace(everyMs, now);
  };

  #noteLook(now: number): void {
    this.heldUpMs += Math.max(0, now - this.#lookedAtMs - this.#everyMs - graceMs);
    this.#lookedAtMs = now;
  }

  /** What it finds may be due only in a later turn of the wheel. One tick more than a rest, because a look may be late. */
  #isDueSoon(): boolean {
    for (let ahead = 1; ahead <= restTicks + 1; ahead++)
      if (this.#slots[(this.#tick + ahead) % slots]?.first !== undefined) return true;
    return false;
  }

  /** Expires whatever is due. A late call catches up; if it is more than a full turn late, each slot is checked once. */
  advance(): void {
    const last = Math.floor(this.#clock.now() / tickMs);
    this.#tick = Math.max(this.#tick, last - slots);
    while (this.#tick < last) {
      this.#tick++;
      this.#expireSlot(this.#slots[this.#tick % slots] as TimerSlot, last);
    }
  }

  #expireSlot(slot: TimerSlot, last: number): void {
    const due: TimerEntry[] = [];
    for (let timer = slot.first; timer !== undefined; timer = timer.next) if (timer.dueTick <= last) due.push(timer);
    for (const timer of due) {
      if (timer.slot !== slot) continue; // cleared, or armed again, by one that expired before it
      this.clear(timer);
      timer.expire();
    }
  }
}
