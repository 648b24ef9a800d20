/**
 * Connections to this pod's application that belong to one client each, whose own connection ends in another pod's sidecar.
 * That sidecar is given an unguessable id (`tulle-connection`), sends it with the client's next requests, and so gets them to
 * the same connection. An id is valid only for the workload that it was given to.
 */

import type { ClientConnection } from "../net/client-connection.ts";
import type { Exchange, Layer, ResponseHead } from "../net/exchange.ts";

const idField = "tulle-connection";
/** Connections at a time; the oldest is closed for the next. */
const maxBound = 1_000;

interface Bound {
  readonly id: string;
  readonly client: ClientConnection;
  /** The SPIFFE id of the workload that may use it. */
  readonly peer: string | undefined;
}

export class BoundConnections {
  readonly #newId: () => string;
  readonly #byId = new Map<string, Bound>();
  readonly #byClient = new Map<ClientConnection, Bound>();

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Finds the client's connection again, if there is one. Goes before the layer that removes the mesh's own fields. */
  readonly recall: Layer = (next) => (exchange, response) => {
    const id = exchange.headers.get(idField);
    const bound = id === undefined ? undefined : this.#byId.get(id);
    if (bound !== undefined && bound.peer === exchange.peer) exchange.client = bound.client;
    return next(exchange, response);
  };

  /** Tells the caller's sidecar the id of the connection, if the application has bound one. */
  readonly announce = ({ client, peer }: Exchange, head: ResponseHead): void => {
    if (client?.ownsAny !== true) return;
    const bound = this.#byClient.get(client) ?? this.#add({ id: this.#newId(), client, peer });
    head.headers.set(idField, bound.id);
  };

  #add(bound: Bound): Bound {
    for (const oldest of this.#byId.values()) {
      if (this.#byId.size < maxBound) break;
      oldest.client.close();
      this.#remove(oldest);
    }
    this.#byId.set(bound.id, bound);
    this.#byClient.set(bound.client, bound);
    bound.client.onUnbound = () => this.#remove(bound);
    return bound;
  }

  #remove({ id, client }: Bound): void {
    this.#byId.delete(id);
    this.#byClient.delete(client);
  }
}

/** At the caller's end: sends the id that the far sidecar knows, and keeps the one that it returns. */
export function rejoin(exchange: Exchange, address: string): void {
  const id = exchange.client?.bindings?.get(address)?.id;
  if (id !== undefined) exchange.headers.set(idField, id);
}

export function keepBinding({ client, backend }: Exchange, address: string, { headers }: ResponseHead): void {
  const id = headers.get(idField);
  if (id === undefined) return;
  headers.remove(idField);
  client?.bind({ address, backend, id });
}
