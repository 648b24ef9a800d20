/**
 * A client's connection, as far as its requests belong together: NTLM and Negotiate authenticate a connection and not a
 * request, so a connection to the application that was authenticated is this client's alone, for its life.
 */

/** A connection to an application that is one client's own. */
export interface OwnConnection {
  destroy(): void;
}

/** Where one of them is to be found again. */
export interface Binding {
  /** As the balancer has it: `podIP:containerPort`. */
  readonly address: string;
  /** `namespace/name`; undefined: none was chosen. */
  readonly backend: string | undefined;
  /** What the far sidecar knows it by; undefined: it is this sidecar's own. */
  readonly id: string | undefined;
}

export class ClientConnection {
  #own: Set<OwnConnection> | undefined;
  #bindings: Map<string, Binding> | undefined;
  #closed = false;
  /** Called when the last of its own connections is gone. */
  onUnbound: (() => void) | undefined;

  /** False: it is gone already, and can own nothing. */
  own(connection: OwnConnection): boolean {
    if (this.#closed) return false;
    this.#own ??= new Set();
    this.#own.add(connection);
    return true;
  }

  disown(connection: OwnConnection): void {
    if (this.#own?.delete(connection) === true && this.#own.size === 0) this.onUnbound?.();
  }

  get ownsAny(): boolean {
    return this.#own !== undefined && this.#own.size > 0;
  }

  bind(binding: Binding): void {
    this.#bindings ??= new Map();
    this.#bindings.set(binding.address, binding);
  }

  /** Where its requests should go, the last one first; undefined: nowhere in particular. */
  get bindings(): ReadonlyMap<string, Binding> | undefined {
    return this.#bindings;
  }

  /** The client is gone, and with it what was its own. */
  close(): void {
    this.#closed = true;
    const own = this.#own;
    this.#own = undefined;
    for (const connection of own ?? []) connection.destroy();
  }
}
