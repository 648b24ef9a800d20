/** Turns a scanned response head into a `ResponseHead` and its framing (RFC 9112 §4, §6.3). */

import type { ResponseHead } from "../net/exchange.ts";
import { SP } from "./bytes.ts";
import type { HeadScanner } from "./head-scanner.ts";
import { type HeaderSection, isRefusal, readHeaderSection } from "./header-section.ts";
import { Refusal } from "./limits.ts";
import { type BodyLength, readVersion, versionLength } from "./request-head.ts";

/** What a response's framing depends on besides the response itself. */
export interface AskedRequest {
  readonly method: string;
  readonly upgrade?: string;
}

export const nothingAsked: AskedRequest = { method: "GET" };

export interface ReceivedResponse extends ResponseHead {
  /** Whether the server leaves the connection open after this response. */
  readonly keepAlive: boolean;
  /** From `Keep-Alive: timeout=…`: how long the server keeps an idle connection. */
  readonly keepAliveTimeoutMs: number | undefined;
  /** A 101 to an upgrade or a 2xx to CONNECT: raw bytes follow. */
  readonly switches: boolean;
  readonly bodyLength: BodyLength;
}

export function readResponseHead(scanner: HeadScanner, asked: AskedRequest): ReceivedResponse | Refusal {
  const versionEnd = scanner.headStart + versionLength;
  const minorVersion = readVersion(scanner, scanner.headStart, versionEnd);
  const status = readStatus(scanner, versionEnd);
  if (minorVersion === undefined || status === undefined) return badResponse("malformed status line");
  const section = readHeaderSection(scanner);
  if (isRefusal(section)) return section;
  if (section.chunked && minorVersion === 0) return badResponse("Transfer-Encoding in HTTP/1.0");

  const switches = status === 101 || (asked.method === "CONNECT" && status >= 200 && status < 300);
  if (status === 101 && !answersUpgrade(section, asked))
    return badResponse("101 to a request that asked for something else");
  if (switches) section.headers.remove("content-length");
  const bodyLength = switches ? 0 : bodyLengthOf(status, section, asked);
  if (typeof bodyLength === "object") return bodyLength;
  return {
    status,
    headers: section.headers,
    bodyless: bodyLength === 0 && !switches,
    keepAlive: !section.close && (minorVersion === 1 || section.keepAlive) && bodyLength !== "until-close",
    keepAliveTimeoutMs: keepAliveTimeout(section.keepAliveParameters),
    switches,
    bodyLength,
  };
}

const statusLength = 3;

/** Reads three digits between one space and either another space or the end of the line. */
function readStatus({ bytes, base, startLineEnd }: HeadScanner, versionEnd: number): number | undefined {
  const from = base + versionEnd + 1;
  const to = from + statusLength;
  const end = base + startLineEnd;
  if (bytes[from - 1] !== SP || to > end || (to < end && bytes[to] !== SP)) return undefined;
  let status = 0;
  for (let i = from; i < to; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    status = status * 10 + digit;
  }
  return status >= 100 && status < 600 ? status : undefined;
}

function badResponse(detail: string): Refusal {
  return new Refusal("bad_response", detail);
}

function bodyLengthOf(status: number, section: HeaderSection, asked: AskedRequest): BodyLength | Refusal {
  if (status < 200 || status === 204) {
    if (section.chunked || (section.contentLength ?? 0) > 0) return badResponse("a body where none may be");
    // Content-Length: 0 is common here although it is forbidden. It is harmless, and not passed on.
    section.headers.remove("content-length");
    return 0;
  }
  if (asked.method === "HEAD" || status === 304) return 0;
  if (section.chunked) return "chunked";
  return section.contentLength ?? "until-close";
}

function answersUpgrade(section: HeaderSection, asked: AskedRequest): boolean {
  return section.upgradeOption && asked.upgrade !== undefined && section.upgrade?.toLowerCase() === asked.upgrade;
}

function keepAliveTimeout(parameters: string | undefined): number | undefined {
  const seconds = parameters === undefined ? null : /(?:^|[,\s])timeout\s*=\s*"?([0-9]{1,6})/i.exec(parameters);
  return seconds === null ? undefined : Number(seconds[1]) * 1000;
}
