/** Turns a scanned request head into a `RequestHead` and its framing. Ambiguous heads are refused (RFC 9112 §3, §6). */

import { hostOf, isAuthority, portOf, sameAuthority } from "../net/authority.ts";
import type { RequestHead } from "../net/exchange.ts";
import { upgradeProtocol } from "../net/upgrade.ts";
import type { HeadScanner } from "./head-scanner.ts";
import { type HeaderSection, isRefusal, readHeaderSection } from "./header-section.ts";
import { badRequest, Refusal } from "./limits.ts";

/** How long the body is: a number of bytes, or as long as its own framing says. */
export type BodyLength = number | "chunked" | "until-close";

export interface ReceivedRequest extends RequestHead {
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly minorVersion: 0 | 1;
  /** Whether the client allows another request on this connection. */
  readonly keepAlive: boolean;
  /** Whether the client waits for 100 (Continue) before it sends the body. */
  readonly expectsContinue: boolean;
  readonly bodyLength: BodyLength;
  /** Whether the client takes us for its proxy: the target is in absolute form, or this is CONNECT. */
  readonly proxied: boolean;
}

interface Target {
  /** Undefined: the target has none; the Host field says it. */
  readonly authority: string | undefined;
  readonly path: string;
}

export function readRequestHead(scanner: HeadScanner): ReceivedRequest | Refusal {
  const method = readMethod(scanner);
  const minorVersion = readVersion(scanner, scanner.targetEnd + 1, scanner.startLineEnd);
  if (minorVersion === undefined) return badRequest("HTTP version other than 1.0 and 1.1");
  const target = readTarget(method, scanner.text(scanner.methodEnd + 1, scanner.targetEnd));
  if (isRefusal(target)) return target;
  const section = readHeaderSection(scanner);
  if (isRefusal(section)) return section;
  const refusal = refuseHost(section.host, target, method, minorVersion) ?? refuseBody(section, method, minorVersion);
  if (refusal !== undefined) return refusal;

  const bodyLength = section.chunked ? "chunked" : (section.contentLength ?? 0);
  const authority = target.authority ?? section.host ?? "";
  // Over a mesh link it becomes an extended CONNECT, which must say to whom it goes (RFC 8441 §4).
  const mayUpgrade = minorVersion === 1 && method === "GET" && bodyLength === 0 && authority !== "";
  const upgrade = mayUpgrade ? askedUpgrade(section) : undefined;
  if (minorVersion === 0 && section.expect !== undefined) section.headers.remove("expect");
  // A tunnel has no length, and 0 says nothing.
  if (upgrade !== undefined || method === "CONNECT") section.headers.remove("content-length");
  const head: ReceivedRequest = {
    method,
    authority,
    path: target.path,
    scheme: "http",
    headers: section.headers,
    bodyless: bodyLength === 0 && upgrade === undefined && method !== "CONNECT",
    minorVersion,
    keepAlive: !section.close && (minorVersion === 1 || section.keepAlive),
    expectsContinue: minorVersion === 1 && section.expect?.toLowerCase() === "100-continue",
    bodyLength,
    proxied: target.authority !== undefined,
  };
  if (upgrade !== undefined) head.upgrade = upgrade;
  return head;
}

const usualMethods = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"].map((name) => ({
  name,
  bytes: Buffer.from(name),
}));

/** Common methods are recognised by their bytes, and need no string. */
function readMethod(scanner: HeadScanner): string {
  const { bytes, base, headStart, methodEnd } = scanner;
  for (const usual of usualMethods)
    if (isThere(bytes, base + headStart, base + methodEnd, usual.bytes)) return usual.name;
  return scanner.text(headStart, methodEnd);
}

function isThere(bytes: Buffer, from: number, to: number, expected: Buffer): boolean {
  if (to - from !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[from + i] !== expected[i]) return false;
  return true;
}

export const versionLength = "HTTP/1.1".length;

/** Reads the version between two offsets of a head. The scanner has checked that it begins with `HTTP/1.`. */
export function readVersion({ bytes, base }: HeadScanner, from: number, to: number): 0 | 1 | undefined {
  if (to - from !== versionLength) return undefined;
  const minor = (bytes[base + to - 1] as number) - 0x30;
  return minor === 0 || minor === 1 ? minor : undefined;
}

/** Reads the four forms of RFC 9112 §3.2. */
function readTarget(method: string, target: string): Target | Refusal {
  if (method === "CONNECT") {
    if (!isAuthority(target) || portOf(target) === undefined) return badRequest("CONNECT needs host:port");
    return { authority: target, path: "" };
  }
  if (target.charCodeAt(0) === 0x2f) return { authority: undefined, path: target };
  if (target === "*") {
    return method === "OPTIONS" ? { authority: undefined, path: target } : badRequest("malformed request target");
  }
  return readAbsoluteForm(method, target);
}

function readAbsoluteForm(method: string, target: string): Target | Refusal {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(target);
  if (scheme === null) return badRequest("malformed request target");
  if (scheme[1]?.toLowerCase() !== "http") return new Refusal("unsupported", "scheme other than http");
  const rest = target.slice(scheme[0].length);
  const end = rest.search(/[/?]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  if (!isAuthority(authority)) return badRequest("malformed authority in the target");
  if (end < 0) return { authority, path: method === "OPTIONS" ? "*" : "/" };
  return { authority, path: rest[end] === "?" ? `/${rest.slice(end)}` : rest.slice(end) };
}

function refuseHost(
  host: string | undefined,
  target: Target,
  method: string,
  minorVersion: 0 | 1,
): Refusal | undefined {
  if (host === undefined) return minorVersion === 1 ? badRequest("no Host") : undefined;
  // A client that knows no host sends an empty field (RFC 9112 §3.2).
  if (host !== "" && !isAuthority(host)) return badRequest("malformed Host");
  if (target.authority === undefined) return undefined;
  // CONNECT names a port; some clients leave it out of Host.
  const agrees =
    method === "CONNECT" && portOf(host) === undefined
      ? hostOf(host) === hostOf(target.authority)
      : sameAuthority(host, target.authority, 80);
  return agrees ? undefined : badRequest("Host is not the authority of the target");
}

function refuseBody(section: HeaderSection, method: string, minorVersion: 0 | 1): Refusal | undefined {
  if (section.chunked && minorVersion === 0) return badRequest("Transfer-Encoding in HTTP/1.0");
  if (method === "CONNECT" && (section.chunked || (section.contentLength ?? 0) > 0))
    return badRequest("CONNECT with a body");
  return undefined;
}

/** The first protocol that a GET without a body asks to switch to. */
function askedUpgrade(section: HeaderSection): string | undefined {
  if (!section.upgradeOption || section.upgrade === undefined) return undefined;
  for (const part of section.upgrade.split(",")) {
    const protocol = upgradeProtocol(part.trim());
    if (protocol !== undefined) return protocol;
  }
  return undefined;
}
