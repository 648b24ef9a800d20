/**
 * Limits how many members there may be at a time. When there is one too many, the address with the most members loses one, so
 * whoever takes them all harms only itself. It knows nothing of what it counts.
 */
export class FairLimit<Member> {
  readonly #most: number;
  /** The members of each address, in order of arrival. */
  readonly #byAddress = new Map<string, Set<Member>>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  /** Returns the member that must go and is no longer counted, possibly the new one itself. Undefined: there was room. */
  admit(address: string, member: Member): Member | undefined {
    const excess = this.#count < this.#most ? undefined : this.#makeRoom(address, member);
    if (excess === member) return excess;
    const own = this.#byAddress.get(address);
    if (own === undefined) this.#byAddress.set(address, new Set([member]));
    else own.add(member);
    this.#count++;
    return excess;
  }

  /** May also be called for a member that is no longer counted, or never was. */
  leave(address: string, member: Member): void {
    const own = this.#byAddress.get(address);
    if (own?.delete(member) !== true) return;
    if (own.size === 0) this.#byAddress.delete(address);
    this.#count--;
  }

  /**
   * The newcomer, unless another address would still have at least as many as its own afterwards: then the oldest of that
   * address.
   */
  #makeRoom(address: string, newcomer: Member): Member {
    let [most, holder] = [1 + (this.#byAddress.get(address)?.size ?? 0), address];
    for (const [other, { size }] of this.#byAddress) if (size > most) [most, holder] = [size, other];
    if (holder === address) return newcomer;
    const [oldest = newcomer] = this.#byAddress.get(holder) ?? [];
    this.leave(holder, oldest);
    return oldest;
  }
}
