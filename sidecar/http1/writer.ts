/** Writes heads and chunks into an outbox. It trusts its caller: names and values come from checked heads. */

import type { Exchange, ResponseHead } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { copyBytes, writeLatin1 } from "../net/latin1.ts";
import type { Outbox } from "../net/outbox.ts";
import { type FieldName, knownField } from "./field-names.ts";

/** How the receiver learns where a message ends. `none`: from the request it answers; `empty`: from a Content-Length of 0. */
export type Framing = "none" | "empty" | "length" | "chunked" | "close";

/** The registered reason phrases (RFC 9110 §15 and IANA); any other status is written without one. */
const reasonPhrases: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  510: "Not Extended",
  511: "Network Authentication Required",
};

const statusLines: readonly Buffer[] = Array.from({ length: 600 }, (_, status) =>
  Buffer.from(`HTTP/1.1 ${status} ${reasonPhrases[status] ?? ""}\r\n`),
);

const longestWrite = 64 * 1024;
/** This many names are recognised by their position. */
const maxPositions = 32;
/** The size of the longest head without method, target, authority, field names and values. */
const fixedBytes = 256;

const requestLineEnd = Buffer.from(" HTTP/1.1\r\nHost: ");
const colon = Buffer.from(": ");
const lineEnd = Buffer.from("\r\n");
const chunkedLine = Buffer.from("Transfer-Encoding: chunked\r\n");
const emptyLine = Buffer.from("Content-Length: 0\r\n");
const connectionName = Buffer.from("Connection: ");
const upgradeName = Buffer.from("Upgrade: ");
const lastChunk = Buffer.from("0\r\n");

/**
 * A head being written. It is written octet by octet into the buffer from which it is sent: as a string it would first be about
 * thirty strings. One object is enough, because a head is written without interruption.
 */
class HeadText {
  #buffer: Buffer = lineEnd;
  #at = 0;
  #from = 0;
  #maxBytes = 0;
  /** The names of the previous head by position, and what is known of them: consecutive heads usually have the same names. */
  readonly #names: string[] = [];
  readonly #known: (FieldName | undefined)[] = [];

  /** `maxBytes`: the largest size of the head, without what every head has. */
  begin(outbox: Outbox, maxBytes: number): this {
    this.#maxBytes = maxBytes + fixedBytes;
    const fits = this.#maxBytes <= longestWrite;
    this.#at = this.#from = fits ? outbox.reserve(this.#maxBytes) : 0;
    this.#buffer = fits ? outbox.buffer : Buffer.allocUnsafe(this.#maxBytes);
    return this;
  }

  end(outbox: Outbox): void {
    const length = this.#at - this.#from;
    if (this.#maxBytes <= longestWrite) outbox.unreserve(this.#maxBytes - length);
    else outbox.append(this.#buffer.subarray(0, length));
    this.#buffer = lineEnd;
  }

  text(text: string): this {
    this.#at = writeLatin1(this.#buffer, this.#at, text);
    return this;
  }

  bytes(bytes: Buffer): this {
    this.#at = copyBytes(this.#buffer, this.#at, bytes);
    return this;
  }

  /**
   * Writes end-to-end fields as lines. Hop-by-hop fields are made by this codec, so any that a layer has left are not written.
   */
  fields({ flat }: HeaderFields, withLength: boolean): this {
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string;
      const value = flat[i + 1] as string;
      const known = this.#knownAt(i >> 1, name);
      if (known === undefined) {
        this.text(name).bytes(colon).text(value).bytes(lineEnd);
        continue;
      }
      switch (known.role) {
        case "content-length":
          if (withLength) this.bytes(known.prefix).text(value).bytes(lineEnd);
          break;
        case "ordinary":
        case "expect":
          this.bytes(known.prefix).text(value).bytes(lineEnd);
          break;
        case "host":
        case "transfer-encoding":
        case "connection":
        case "keep-alive":
        case "upgrade":
        case "hop-by-hop":
          break;
      }
    }
    return this;
  }

  #knownAt(position: number, name: string): FieldName | undefined {
    if (this.#names[position] === name) return this.#known[position];
    const known = knownField(name);
    if (position >= maxPositions) return known;
    this.#names[position] = name;
    this.#known[position] = known;
    return known;
  }

  framing(framing: Framing): this {
    if (framing === "chunked") return this.bytes(chunkedLine);
    return framing === "empty" ? this.bytes(emptyLine) : this;
  }

  option(name: Buffer, value: string | undefined): this {
    return value === undefined ? this : this.bytes(name).text(value).bytes(lineEnd);
  }
}

const headText = new HeadText();

function bytesOf({ flat }: HeaderFields): number {
  let bytes = 0;
  for (let i = 0; i < flat.length; i++) bytes += (flat[i] as string).length + lineEnd.length;
  return bytes;
}

export function writeRequestHead(outbox: Outbox, exchange: Exchange, framing: Framing): void {
  const { method, authority, headers, upgrade } = exchange;
  const target = method === "CONNECT" ? authority : exchange.path;
  const own = method.length + target.length + authority.length + (upgrade?.length ?? 0);
  headText
    .begin(outbox, own + bytesOf(headers))
    .text(method)
    .text(" ")
    .text(target)
    .bytes(requestLineEnd)
    .text(authority)
    .bytes(lineEnd)
    .fields(headers, true)
    .framing(framing)
    .option(connectionName, upgrade === undefined ? undefined : "upgrade")
    .option(upgradeName, upgrade)
    .bytes(lineEnd)
    .end(outbox);
}

/** `connection`: the value of the `Connection` field, if there is to be one; `upgrade`: that of `Upgrade`. */
export function writeResponseHead(
  outbox: Outbox,
  head: ResponseHead,
  framing: Framing,
  connection: string | undefined,
  upgrade?: string,
): void {
  const { headers, status } = head;
  headText
    .begin(outbox, bytesOf(headers) + (connection?.length ?? 0) + (upgrade?.length ?? 0))
    .bytes(statusLines[status] as Buffer)
    .fields(headers, status >= 200 && status !== 204)
    .framing(framing)
    .option(connectionName, connection)
    .option(upgradeName, upgrade)
    .bytes(lineEnd)
    .end(outbox);
}

/** Must not be called with an empty chunk, which would end the body. */
export function writeChunk(outbox: Outbox, chunk: Buffer): void {
  headText.begin(outbox, 0).text(chunk.length.toString(16)).bytes(lineEnd).end(outbox);
  outbox.append(chunk);
  headText.begin(outbox, 0).bytes(lineEnd).end(outbox);
}

export function writeLastChunk(outbox: Outbox, trailers: HeaderFields | undefined): void {
  headText.begin(outbox, trailers === undefined ? 0 : bytesOf(trailers)).bytes(lastChunk);
  if (trailers !== undefined) headText.fields(trailers, false);
  headText.bytes(lineEnd).end(outbox);
}
