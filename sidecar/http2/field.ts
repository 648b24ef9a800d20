/**
 * One decoded field, and what kind it is. A field is judged once, when it is made: those that sit in a static or
 * dynamic table are judged no more, however often they are referred to. What a kind means for a message is not decided
 * here but in `headers.ts`.
 */

import { isAuthority } from "../net/authority.ts";
import { upgradeProtocol } from "../net/upgrade.ts";

/** `malformed`: its octets break RFC 9113 §8.2.1 or §8.3, whatever message it is in. */
export type FieldKind =
  | "regular"
  | "malformed"
  | "connection-specific"
  | "content-length"
  | "cookie"
  | "host"
  | ":authority"
  | ":method"
  | ":path"
  | ":protocol"
  | ":scheme"
  | ":status";

/** What a field counts for beyond its octets, in tables and in limits (RFC 7541 §4.1, RFC 9113 §6.5.2). */
export const fieldOverheadBytes = 32;

export class Field {
  readonly name: string;
  /** latin1, one code unit an octet. */
  readonly value: string;
  readonly sizeBytes: number;
  readonly kind: FieldKind;
  /** It was received as never-indexed, and must stay so when it is passed on. */
  readonly isSensitive: boolean;

  constructor(name: string, value: string, isSensitive = false) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + fieldOverheadBytes;
    this.kind = judge(name, value);
    this.isSensitive = isSensitive;
  }
}

/** Names with a meaning for the codec, each with the rule for its value. */
const special = new Map<string, { kind: FieldKind; valid: (value: string) => boolean }>([
  [":authority", { kind: ":authority", valid: isAuthority }],
  [":method", { kind: ":method", valid: isToken }],
  [":path", { kind: ":path", valid: isPath }],
  [":protocol", { kind: ":protocol", valid: (value) => upgradeProtocol(value) !== undefined }],
  [":scheme", { kind: ":scheme", valid: (value) => value === "http" || value === "https" }],
  [":status", { kind: ":status", valid: isStatus }],
  ["connection", { kind: "connection-specific", valid: isFieldValue }],
  ["content-length", { kind: "content-length", valid: isLength }],
  ["cookie", { kind: "cookie", valid: isFieldValue }],
  ["host", { kind: "host", valid: isAuthority }],
  ["keep-alive", { kind: "connection-specific", valid: isFieldValue }],
  ["proxy-connection", { kind: "connection-specific", valid: isFieldValue }],
  ["te", { kind: "regular", valid: (value) => value.toLowerCase() === "trailers" }],
  ["transfer-encoding", { kind: "connection-specific", valid: isFieldValue }],
  ["upgrade", { kind: "connection-specific", valid: isFieldValue }],
]);

function judge(name: string, value: string): FieldKind {
  const rule = special.get(name);
  if (rule !== undefined) return rule.valid(value) ? rule.kind : "malformed";
  // A colon is not a token character, so unknown pseudo-header fields are malformed.
  return isLowerCaseToken(name) && isFieldValue(value) ? "regular" : "malformed";
}

const tokenCharacter = 1;
const upperCase = 2;
const valueCharacter = 4;
const pathCharacter = 8;
const classes = buildClasses();

function buildClasses(): Uint8Array {
  const table = new Uint8Array(256);
  for (let code = 0x21; code < 0x7f; code++) {
    const character = String.fromCharCode(code);
    let found = valueCharacter;
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character)) found |= tokenCharacter;
    if (/[A-Z]/.test(character)) found |= upperCase;
    if (character !== "#") found |= pathCharacter;
    table[code] = found;
  }
  for (let code = 0x80; code < 0x100; code++) table[code] = valueCharacter;
  table[0x09] = table[0x20] = valueCharacter;
  return table;
}

/** True if all of `value` is of class `wanted` and nothing of class `unwanted`. */
function consistsOf(value: string, wanted: number, unwanted: number): boolean {
  for (let i = 0; i < value.length; i++) {
    const found = classes[value.charCodeAt(i)] ?? 0;
    if ((found & wanted) === 0 || (found & unwanted) !== 0) return false;
  }
  return true;
}

function isToken(value: string): boolean {
  return value.length > 0 && consistsOf(value, tokenCharacter, 0);
}

function isLowerCaseToken(name: string): boolean {
  return name.length > 0 && consistsOf(name, tokenCharacter, upperCase);
}

/** RFC 9113 §8.2.1 asks for no NUL, CR, LF and no space around; RFC 9110 §5.5 forbids the other controls as well. */
function isFieldValue(value: string): boolean {
  if (value.length === 0) return true;
  return consistsOf(value, valueCharacter, 0) && !isBlank(value, 0) && !isBlank(value, value.length - 1);
}

function isBlank(value: string, at: number): boolean {
  const code = value.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}

/** Origin form, or the asterisk (whose method is checked with the message). ASCII only, as in RFC 3986. */
function isPath(value: string): boolean {
  return (value.startsWith("/") || value === "*") && consistsOf(value, pathCharacter, 0);
}

function isStatus(value: string): boolean {
  return /^[1-5][0-9][0-9]$/.test(value);
}

/** Digits only, no leading zero, which some would read as octal, and few enough to be exact as a number. */
function isLength(value: string): boolean {
  return /^(?:0|[1-9][0-9]{0,14})$/.test(value);
}
