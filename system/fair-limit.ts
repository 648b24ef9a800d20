/**
 * How many there may be at a time, and who goes when there is one too many: one of the address that has the most, so that
 * whoever takes them all takes them from itself. It knows nothing of what it counts.
 */
export class FairLimit<Member> {
  readonly #most: number;
  /** Of each address in the order in which they came. */
  readonly #byAddress = new Map<string, Set<Member>>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  /** Returns the one that has to go, and is counted no more: possibly the one that came. Undefined: there was room. */
  admit(address: string, member: Member): Member | undefined {
    const excess = this.#count < this.#most ? undefined : this.#makeRoom(address, member);
    if (excess === member) return excess;
    const own = this.#byAddress.get(address);
    if (own === undefined) this.#byAddress.set(address, new Set([member]));
    else own.add(member);
    this.#count++;
    return excess;
  }

  /** What is not counted any more, or never was, may leave too. */
  leave(address: string, member: Member): void {
    const own = this.#byAddress.get(address);
    if (own?.delete(member) !== true) return;
    if (own.size === 0) this.#byAddress.delete(address);
    this.#count--;
  }

  /** The newcomer, unless another address would still have no fewer than its own afterwards: then the oldest of that. */
  #makeRoom(address: string, newcomer: Member): Member {
    let [most, holder] = [1 + (this.#byAddress.get(address)?.size ?? 0), address];
    for (const [other, { size }] of this.#byAddress) if (size > most) [most, holder] = [size, other];
    if (holder === address) return newcomer;
    const [oldest = newcomer] = this.#byAddress.get(holder) ?? [];
    this.leave(holder, oldest);
    return oldest;
  }
}
