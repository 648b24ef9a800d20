/** Puts heads and chunks into an outbox. It trusts its caller: names and values are those of checked heads. */

import type { Exchange, ResponseHead } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import type { Outbox } from "../net/outbox.ts";
import { knownField } from "./field-names.ts";

/** How a message's end is told to its receiver. `none`: by what it answers; `empty`: by a Content-Length of 0. */
export type Framing = "none" | "empty" | "length" | "chunked" | "close";

/** The registered reason phrases (RFC 9110 §15 and IANA); another status is written without one. */
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

const statusLines: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `HTTP/1.1 ${status} ${reasonPhrases[status] ?? ""}\r\n`,
);

const longestWrite = 64 * 1024;

function writeText(outbox: Outbox, text: string): void {
  if (text.length > longestWrite) return outbox.append(Buffer.from(text, "latin1"));
  const at = outbox.reserve(text.length);
  outbox.buffer.write(text, at, "latin1");
}

/** End-to-end fields as lines. Hop-by-hop ones are this codec's to make, so what a layer left of them is not written. */
function fieldLines(headers: HeaderFields, withLength: boolean): string {
  const { flat } = headers;
  let lines = "";
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string;
    const known = knownField(name);
    if (known === undefined) {
      lines += `${name}: ${flat[i + 1] as string}\r\n`;
      continue;
    }
    switch (known.role) {
      case "content-length":
        if (!withLength) break;
        lines += known.prefix + (flat[i + 1] as string) + "\r\n";
        break;
      case "ordinary":
      case "expect":
        lines += known.prefix + (flat[i + 1] as string) + "\r\n";
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
  return lines;
}

function framingLine(framing: Framing): string {
  if (framing === "chunked") return "Transfer-Encoding: chunked\r\n";
  return framing === "empty" ? "Content-Length: 0\r\n" : "";
}

export function writeRequestHead(outbox: Outbox, exchange: Exchange, framing: Framing): void {
  const target = exchange.method === "CONNECT" ? exchange.authority : exchange.path;
  let text = `${exchange.method} ${target} HTTP/1.1\r\nHost: ${exchange.authority}\r\n`;
  text += fieldLines(exchange.headers, true);
  text += framingLine(framing);
  if (exchange.upgrade !== undefined) text += `Connection: upgrade\r\nUpgrade: ${exchange.upgrade}\r\n`;
  writeText(outbox, `${text}\r\n`);
}

/** `connection` is the value of the `Connection` field, if there is to be one; `upgrade` that of `Upgrade`. */
export function writeResponseHead(
  outbox: Outbox,
  head: ResponseHead,
  framing: Framing,
  connection: string | undefined,
  upgrade?: string,
): void {
  let text = statusLines[head.status] as string;
  text += fieldLines(head.headers, head.status >= 200 && head.status !== 204);
  text += framingLine(framing);
  if (connection !== undefined) text += `Connection: ${connection}\r\n`;
  if (upgrade !== undefined) text += `Upgrade: ${upgrade}\r\n`;
  writeText(outbox, `${text}\r\n`);
}

/** Not for empty chunks: such a one ends a body. */
export function writeChunk(outbox: Outbox, chunk: Buffer): void {
  writeText(outbox, `${chunk.length.toString(16)}\r\n`);
  outbox.append(chunk);
  writeText(outbox, "\r\n");
}

export function writeLastChunk(outbox: Outbox, trailers: HeaderFields | undefined): void {
  writeText(outbox, trailers === undefined ? "0\r\n\r\n" : `0\r\n${fieldLines(trailers, false)}\r\n`);
}
