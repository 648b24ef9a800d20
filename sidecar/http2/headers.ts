/**
 * From decoded fields to the heads of an exchange and back (RFC 9113 §8.2, §8.3; RFC 8441 §4).
 *
 * Strict: what makes a message malformed is refused before anyone above sees it, never repaired. Single fields were
 * judged when they were decoded (`field.ts`); here is what only a whole section can tell.
 */

import { sameAuthority } from "../net/authority.ts";
import { readDecimal } from "../net/decimal.ts";
import type { RequestHead } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import type { Field } from "./field.ts";

export interface ReceivedRequest extends RequestHead {
  /** -1: there is no content-length. */
  readonly contentLength: number;
}

export interface ReceivedResponse {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly contentLength: number;
}

/** Why a section is refused. A request with `too-many-fields` may get a 431. */
export type Refused = "malformed" | "too-many-fields";

/** Collects a section's regular fields and the pseudo-header fields before them. */
class Section {
  readonly flat: string[] = [];
  #sensitive: string[] | undefined;
  contentLength = -1;
  host: string | undefined;
  authority: string | undefined;
  method: string | undefined;
  path: string | undefined;
  protocol: string | undefined;
  scheme: string | undefined;
  status: string | undefined;
  #cookieAt = -1;

  /** Returns false if it makes the section malformed. */
  add(field: Field): boolean {
    const { name, value } = field;
    if (field.isSensitive) (this.#sensitive ??= []).push(name);
    switch (field.kind) {
      case "regular":
        this.flat.push(name, value);
        return true;
      case "malformed":
      case "connection-specific":
        return false;
      case "content-length":
        if (this.contentLength >= 0) return false;
        this.contentLength = readDecimal(value);
        this.flat.push(name, value);
        return true;
      case "cookie":
        this.#addCookie(value);
        return true;
      case "host":
        if (this.host !== undefined) return false;
        this.host = value;
        return true;
      case ":authority":
        if (!this.#admitsPseudo(this.authority)) return false;
        this.authority = value;
        return true;
      case ":method":
        if (!this.#admitsPseudo(this.method)) return false;
        this.method = value;
        return true;
      case ":path":
        if (!this.#admitsPseudo(this.path)) return false;
        this.path = value;
        return true;
      case ":protocol":
        if (!this.#admitsPseudo(this.protocol)) return false;
        this.protocol = value;
        return true;
      case ":scheme":
        if (!this.#admitsPseudo(this.scheme)) return false;
        this.scheme = value;
        return true;
      case ":status":
        if (!this.#admitsPseudo(this.status)) return false;
        this.status = value;
        return true;
    }
  }

  /** Everything but the pseudo-header fields. */
  takeHeaders(): HeaderFields {
    const headers = new HeaderFields(this.flat);
    headers.sensitive = this.#sensitive;
    return headers;
  }

  /** Joins cookie crumbs into one field again (RFC 9113 §8.2.3). */
  #addCookie(value: string): void {
    if (this.#cookieAt >= 0) {
      this.flat[this.#cookieAt] = `${this.flat[this.#cookieAt]}; ${value}`;
      return;
    }
    this.#cookieAt = this.flat.push("cookie", value) - 1;
  }

  /** Whether a pseudo-header field may come here: each at most once, and before all other fields (RFC 9113 §8.3). */
  #admitsPseudo(before: string | undefined): boolean {
    return this.flat.length === 0 && this.host === undefined && before === undefined;
  }
}

function collect(fields: readonly Field[], maxFields: number): Section | Refused {
  const section = new Section();
  for (const field of fields) if (!section.add(field)) return "malformed";
  return section.flat.length > maxFields * 2 ? "too-many-fields" : section;
}

/** Reads a request's head. `endStream`: the HEADERS frame ended the stream. */
export function readRequest(
  fields: readonly Field[],
  endStream: boolean,
  maxFields: number,
): ReceivedRequest | Refused {
  const section = collect(fields, maxFields);
  if (typeof section === "string") return section;
  const { contentLength, host, method, protocol, path, scheme } = section;
  const authority = section.authority ?? host ?? "";
  if (method === undefined || section.status !== undefined) return "malformed";
  if (host !== undefined && host !== authority && !sameAuthority(host, authority, scheme === "https" ? 443 : 80))
    return "malformed";
  if (endStream && contentLength > 0) return "malformed";
  const headers = section.takeHeaders();
  const bodyless = endStream;
  if (method === "CONNECT") {
    // In HTTP/1.1 a length would make the tunnel's first bytes a body. 0 says nothing, and is not passed on.
    if (contentLength > 0) return "malformed";
    headers.remove("content-length");
  }
  if (method === "CONNECT" && protocol === undefined) {
    if (path !== undefined || scheme !== undefined || !section.authority) return "malformed";
    return { method, authority, path: "", scheme: "http", headers, bodyless, contentLength: -1 };
  }
  if (path === undefined || (scheme !== "http" && scheme !== "https")) return "malformed";
  if (path === "*" && method !== "OPTIONS") return "malformed";
  if (protocol === undefined) return { method, authority, path, scheme, headers, bodyless, contentLength };
  // Extended CONNECT: the layers above see the GET with Upgrade that it stands for.
  if (method !== "CONNECT" || !section.authority) return "malformed";
  const upgrade = protocol.toLowerCase();
  return { method: "GET", authority, path, scheme, headers, bodyless, contentLength: -1, upgrade };
}

/** Reads a response's head; informational ones too. */
export function readResponse(fields: readonly Field[], maxFields: number): ReceivedResponse | Refused {
  const section = collect(fields, maxFields);
  if (typeof section === "string") return section;
  const { status } = section;
  const ofRequests = section.method ?? section.path ?? section.authority ?? section.scheme;
  if (status === undefined || (ofRequests ?? section.protocol) !== undefined) return "malformed";
  if (section.host !== undefined) section.flat.push("host", section.host);
  return { status: Number(status), headers: section.takeHeaders(), contentLength: section.contentLength };
}

/** Fields that would change how a message is framed, routed or trusted if they came in its head (RFC 9110 §6.5.1). */
const forbiddenTrailers = new Set([
  "authorization",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "range",
  "set-cookie",
  "te",
  "trailer",
  "via",
  "www-authenticate",
  "x-real-ip",
]);

function mayBeTrailer(name: string): boolean {
  return !forbiddenTrailers.has(name) && !/^(?:tulle[-_]|x-forwarded-)/.test(name);
}

/** Reads trailers. Fields that are not allowed there are dropped, never merged. Undefined: none is left. */
export function readTrailers(fields: readonly Field[], maxFields: number): HeaderFields | undefined | Refused {
  const trailers = new HeaderFields();
  for (const { kind, name, value, isSensitive } of fields) {
    if (kind === "malformed" || kind === "connection-specific" || name.startsWith(":")) return "malformed";
    if (!mayBeTrailer(name)) continue;
    trailers.append(name, value);
    if (isSensitive) trailers.sensitive = [...(trailers.sensitive ?? []), name];
  }
  if (trailers.count > maxFields) return "too-many-fields";
  return trailers.count === 0 ? undefined : trailers;
}

/** A request's pseudo-header fields: name, value, name, value … */
export function requestPseudo(head: RequestHead): string[] {
  const { method, scheme, path, authority, upgrade } = head;
  if (upgrade !== undefined) {
    const asked = [":method", "CONNECT", ":protocol", upgrade];
    return [...asked, ":scheme", scheme, ":path", path, ":authority", authority];
  }
  if (method === "CONNECT") return [":method", "CONNECT", ":authority", authority];
  if (authority === "") return [":method", method, ":scheme", scheme, ":path", path];
  return [":method", method, ":scheme", scheme, ":path", path, ":authority", authority];
}
