/**
 * The proof that a server means WebSocket when it says 101: HTTP/1.1 asks for it with `Sec-WebSocket-Key` and gives it with
 * `Sec-WebSocket-Accept` (RFC 6455 §4); extended CONNECT does neither (RFC 8441 §5). If the client speaks one and the application
 * the other, the sidecar at the application asks for the proof, or gives it. If an HTTP/1.1 client did not ask for the proof as
 * it should have, nothing is invented for it: the application refuses it.
 */

import { createHash } from "node:crypto";
import type { Random } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import type { Layer, ResponseHead, ResponseSink } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";

const keyField = "sec-websocket-key";
const acceptField = "sec-websocket-accept";
const keyBytes = 16;
/** The GUID of RFC 6455 §1.3. */
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Above an application that speaks HTTP/1.1: asks for the proof on behalf of an HTTP/2 client, and accepts no 101 without it. */
export function askForAccept(random: Random): Layer {
  return (next) => (exchange, response) => {
    const { headers, upgrade, overHttp2 } = exchange;
    if (upgrade !== "websocket" || !overHttp2 || headers.has(keyField)) return next(exchange, response);
    const key = newKey(random);
    headers.append(keyField, key);
    const asked = new AskedForAccept(headers, response, key);
    asked.attach(next(exchange, asked));
    return asked;
  };
}

/** Above an application that speaks HTTP/2: gives the proof to a client that asked for it over HTTP/1.1. */
export function giveAccept(): Layer {
  return (next) => (exchange, response) => {
    const key = exchange.upgrade === "websocket" ? exchange.headers.get(keyField) : undefined;
    if (key === undefined) return next(exchange, response);
    const given = new GivenAccept(response, acceptFor(key));
    given.attach(next(exchange, given));
    return given;
  };
}

class AskedForAccept extends PassThrough {
  readonly #headers: HeaderFields;
  readonly #key: string;

  constructor(headers: HeaderFields, above: ResponseSink, key: string) {
    super(above);
    this.#headers = headers;
    this.#key = key;
  }

  override head(head: ResponseHead): void {
    this.#takeBack();
    if (head.status !== 101) return super.head(head);
    const proofs = head.headers.all(acceptField);
    if (proofs.length !== 1 || proofs[0] !== acceptFor(this.#key)) return this.#refuse();
    head.headers.remove(acceptField);
    super.head(head);
  }

  override abortResponse(error: MeshError): void {
    this.#takeBack();
    super.abortResponse(error);
  }

  override abortRequest(error: MeshError): void {
    this.#takeBack();
    super.abortRequest(error);
  }

  #refuse(): void {
    const { above, below } = this;
    const error = new MeshError("bad_response", "101 without the Sec-WebSocket-Accept that was asked for");
    this.leave();
    below?.abortRequest(error);
    above.abortResponse(error);
  }

  /** Another try may follow, with a key of its own; once it has that key, this one has nothing left to take back. */
  #takeBack(): void {
    if (this.#headers.get(keyField) === this.#key) this.#headers.remove(keyField);
  }
}

class GivenAccept extends PassThrough {
  readonly #accept: string;

  constructor(above: ResponseSink, accept: string) {
    super(above);
    this.#accept = accept;
  }

  override head(head: ResponseHead): void {
    if (head.status === 101 && !head.headers.has(acceptField)) head.headers.append(acceptField, this.#accept);
    super.head(head);
  }
}

function newKey(random: Random): string {
  return Buffer.from(Array.from({ length: keyBytes }, () => Math.floor(random() * 256))).toString("base64");
}

function acceptFor(key: string): string {
  return createHash("sha1")
    .update(key + guid)
    .digest("base64");
}
