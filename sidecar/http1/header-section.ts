/**
 * Makes the strings of a scanned header section, and splits off what concerns this connection only.
 *
 * What is left is end-to-end (RFC 9110 §7.6.1): the codec on the other side of the stack makes its own framing.
 */

import { HeaderFields } from "../net/header-fields.ts";
import { isToken } from "./bytes.ts";
import { fieldNames, mayBeConnectionOption, mayBeTrailer } from "./field-names.ts";
import { fieldStride, type HeadScanner } from "./head-scanner.ts";
import { badRequest, Refusal } from "./limits.ts";
import { maxPositions } from "./remembered-lines.ts";

/** What the sections of requests and responses have in common. `undefined`: the field is missing. */
export interface HeaderSection {
  headers: HeaderFields;
  host: string | undefined;
  contentLength: number | undefined;
  chunked: boolean;
  /** It has `Connection: close`. */
  close: boolean;
  /** It has `Connection: keep-alive`, without which an HTTP/1.0 connection closes. */
  keepAlive: boolean;
  /** It has `Connection: upgrade`, without which `Upgrade` means nothing. */
  upgradeOption: boolean;
  /** The value of `Upgrade`; several are joined. */
  upgrade: string | undefined;
  /** The value of `Keep-Alive`. */
  keepAliveParameters: string | undefined;
  expect: string | undefined;
}

function emptySection(flat: string[]): HeaderSection {
  return {
    headers: new HeaderFields(flat),
    host: undefined,
    contentLength: undefined,
    chunked: false,
    close: false,
    keepAlive: false,
    upgradeOption: false,
    upgrade: undefined,
    keepAliveParameters: undefined,
    expect: undefined,
  };
}

/** Reads the section after the start line of a complete head. */
export function readHeaderSection(scanner: HeadScanner): HeaderSection | Refusal {
  const flat: string[] = [];
  const section = emptySection(flat);
  const { table, fieldCount, lines, remembered } = scanner;
  let named: string[] | undefined;
  for (let i = 0; i < fieldCount; i++) {
    const entry = i * fieldStride;
    const known = fieldNames[table[entry + 4] as number];
    const isRemembered = lines !== undefined && i < maxPositions && (remembered & (1 << i)) !== 0;
    const value = isRemembered
      ? lines.valueAt(i)
      : scanner.text(table[entry + 2] as number, table[entry + 3] as number);
    if (known === undefined) {
      const name = isRemembered ? lines.nameAt(i) : nameIn(scanner, entry);
      flat.push(name, value);
      continue;
    }
    switch (known.role) {
      case "ordinary":
        flat.push(known.lower, value);
        break;
      case "host":
        if (section.host !== undefined) return badRequest("more than one Host");
        section.host = value;
        break;
      case "content-length": {
        const refusal = readContentLength(value, section);
        if (refusal !== undefined) return refusal;
        flat.push(known.lower, value);
        break;
      }
      case "transfer-encoding": {
        const refusal = readTransferEncoding(value, section);
        if (refusal !== undefined) return refusal;
        break;
      }
      case "connection":
        named = readConnection(value, section, named);
        if (named === malformedConnection) return badRequest("Connection names a field that it may not");
        break;
      case "keep-alive":
        section.keepAliveParameters = value;
        break;
      case "upgrade":
        section.upgrade = section.upgrade === undefined ? value : `${section.upgrade}, ${value}`;
        break;
      case "expect":
        section.expect = value;
        flat.push(known.lower, value);
        break;
      case "hop-by-hop":
        break;
    }
  }
  scanner.keepLines();
  if (section.chunked && section.contentLength !== undefined)
    return badRequest("both Content-Length and Transfer-Encoding");
  if (named !== undefined) {
    const gone = named;
    section.headers.removeWhere((name) => gone.includes(name));
  }
  return section;
}

export function isRefusal(value: object): value is Refusal {
  return value instanceof Refusal;
}

function readContentLength(value: string, section: HeaderSection): Refusal | undefined {
  if (section.contentLength !== undefined) return badRequest("more than one Content-Length");
  section.contentLength = parseContentLength(value);
  return section.contentLength === undefined ? badRequest("malformed Content-Length") : undefined;
}

/** Canonical decimal only: `+1`, `0x1`, `1, 1` and `01` are numbers to some parsers and errors to others. */
function parseContentLength(value: string): number | undefined {
  if (value.length === 0 || value.length > 15) return undefined;
  if (value.length > 1 && value.charCodeAt(0) === 0x30) return undefined;
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    length = length * 10 + digit;
  }
  return length;
}

/** Accepts exactly `chunked`. A well-formed list of other codings is unsupported, anything else malformed. */
function readTransferEncoding(value: string, section: HeaderSection): Refusal | undefined {
  if (section.chunked) return badRequest("more than one Transfer-Encoding");
  const coding = value.toLowerCase();
  section.chunked = coding === "chunked";
  if (section.chunked) return undefined;
  if (coding.split(",").every((part) => isToken(part.trim())) && !/chunked.*chunked/.test(coding))
    return new Refusal("unsupported", "transfer coding other than chunked");
  return badRequest("malformed Transfer-Encoding");
}

const malformedConnection: string[] = [];
/** The number of fields that `Connection` may name: for each, all other fields are searched. */
const maxNamed = 16;

/** Records the options of one `Connection` field, and collects the other fields that it names. */
function readConnection(value: string, section: HeaderSection, named: string[] | undefined): string[] | undefined {
  let fields = named;
  if (value === "keep-alive") {
    section.keepAlive = true; // by far the most common one
    return fields;
  }
  for (const part of value.split(",")) {
    const option = part.trim().toLowerCase();
    switch (option) {
      case "":
        break;
      case "close":
        section.close = true;
        break;
      case "keep-alive":
        section.keepAlive = true;
        break;
      case "upgrade":
        section.upgradeOption = true;
        break;
      default:
        fields ??= [];
        if (!isToken(option) || !mayBeConnectionOption(option) || fields.length === maxNamed)
          return malformedConnection;
        fields.push(option);
    }
  }
  return fields;
}

/** The allowed fields of a scanned trailer section; the others are dropped, never merged anywhere. */
export function readTrailers(scanner: HeadScanner): HeaderFields | undefined {
  if (scanner.fieldCount === 0) return undefined;
  const { table, fieldCount } = scanner;
  const trailers = new HeaderFields();
  for (let i = 0; i < fieldCount; i++) {
    const entry = i * fieldStride;
    const name = nameIn(scanner, entry);
    if (mayBeTrailer(name)) trailers.append(name, scanner.text(table[entry + 2] as number, table[entry + 3] as number));
  }
  return trailers.count > 0 ? trailers : undefined;
}

function nameIn(scanner: HeadScanner, entry: number): string {
  return scanner.text(scanner.table[entry] as number, scanner.table[entry + 1] as number).toLowerCase();
}
