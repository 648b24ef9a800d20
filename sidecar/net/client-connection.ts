/**
 * A client's connection, for requests that belong together by it: NTLM and Negotiate authenticate a connection and not a
 * request, so a connection to the application that was authenticated belongs to this client alone, for its whole life.
 */

/** A connection to an application that belongs to one client. */
export interface OwnConnection {
  destroy(): void;
}

/** Where to find such a connection again. */
export interface Binding {
  /** The endpoint's address, `podIP:containerPort`. */
  readonly address: string;
  /** `namespace/name`; undefined: none was chosen. */
  readonly backend: string | undefined;
  /** The id by which the far sidecar knows it; undefined: it is this sidecar's own connection. */
  readonly id: string | undefined;
}

export class ClientConnection {
  #own: Set<OwnConnection> | undefined;
  #bindings: Map<string, Binding> | undefined;
  #closed = false;
  /** Called when the last of its own connections is gone. */
  onUnbound: (() => void) | undefined;

  /** Returns false if the client is already gone, and can own nothing. */
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

  /** Where its requests should go, the most recent first; undefined: anywhere. */
  get bindings(): ReadonlyMap<string, Binding> | undefined {
    return this.#bindings;
  }

  /** The client is gone; closes what belonged to it. */
  close(): void {
    this.#closed = true;
    const own = this.#own;
    this.#own = undefined;
    for (const connection of own ?? []) connection.destroy();
  }
}
