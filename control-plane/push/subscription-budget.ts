/**
 * Limits the subscriptions of all streams together. When there are too many, the identity with the most loses its largest
 * stream, so whoever takes them all harms only itself, with however many streams.
 */

export interface SubscribingStream {
  readonly identity: string;
  /** Ends the stream. */
  giveUp(): void;
}

export class SubscriptionBudget {
  readonly #most: number;
  readonly #counts = new Map<SubscribingStream, number>();
  #total = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get total(): number {
    return this.#total;
  }

  /** Sets the stream's current number of subscriptions; 0 at its end. */
  change(stream: SubscribingStream, count: number): void {
    this.#set(stream, count);
    while (this.#total > this.#most) {
      const largest = this.#largest() ?? stream;
      this.#set(largest, 0);
      largest.giveUp();
    }
  }

  #set(stream: SubscribingStream, count: number): void {
    this.#total += count - (this.#counts.get(stream) ?? 0);
    if (count === 0) this.#counts.delete(stream);
    else this.#counts.set(stream, count);
  }

  #largest(): SubscribingStream | undefined {
    const byIdentity = new Map<string, number>();
    for (const [{ identity }, count] of this.#counts) byIdentity.set(identity, (byIdentity.get(identity) ?? 0) + count);
    const [most] = [...byIdentity].sort(([, a], [, b]) => b - a);
    const theirs = [...this.#counts].filter(([{ identity }]) => identity === most?.[0]);
    return theirs.sort(([, a], [, b]) => b - a)[0]?.[0];
  }
}
