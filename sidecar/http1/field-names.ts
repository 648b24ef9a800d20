/**
 * The header fields this codec knows: how they are written, what part they play, who may name them.
 *
 * Their names are interned: the scanner hashes a name while it reads it, and a known one becomes its lower-case string
 * with no allocation. Everything it does not know is an ordinary end-to-end field.
 */

import { lowerBytes } from "./bytes.ts";

/** What a field means for the framing of a message. */
export type FieldRole =
  | "ordinary"
  | "host"
  | "content-length"
  | "transfer-encoding"
  | "connection"
  | "keep-alive"
  | "upgrade"
  | "expect"
  /** Removed on receipt, whatever it says. */
  | "hop-by-hop";

export interface FieldName {
  readonly lower: string;
  /** The field's name as it is written before a value: `Content-Type: `. */
  readonly prefix: Buffer;
  readonly role: FieldRole;
  readonly bytes: Buffer;
}

const roles: Readonly<Record<string, FieldRole>> = {
  host: "host",
  "content-length": "content-length",
  "transfer-encoding": "transfer-encoding",
  connection: "connection",
  "keep-alive": "keep-alive",
  upgrade: "upgrade",
  expect: "expect",
  "http2-settings": "hop-by-hop",
  "proxy-connection": "hop-by-hop",
  te: "hop-by-hop",
};

const usualNames = `
Accept Accept-Charset Accept-Encoding Accept-Language Accept-Ranges Access-Control-Allow-Credentials
Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin Access-Control-Expose-Headers
Access-Control-Max-Age Access-Control-Request-Headers Access-Control-Request-Method Age Allow Alt-Svc Authorization
B3 Baggage Cache-Control Connection Content-Disposition Content-Encoding Content-Language Content-Length
Content-Location Content-Range Content-Security-Policy Content-Type Cookie DNT Date ETag Expect Expires Forwarded From
Grpc-Message Grpc-Status Grpc-Timeout HTTP2-Settings Host Idempotency-Key If-Match If-Modified-Since If-None-Match
If-Range If-Unmodified-Since Keep-Alive Last-Modified Link Location Max-Forwards Origin Pragma Prefer
Proxy-Authenticate Proxy-Authentication-Info Proxy-Authorization Proxy-Connection Range Referer Referrer-Policy
Retry-After Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-WebSocket-Accept
Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version Server Server-Timing
Set-Cookie Strict-Transport-Security TE Traceparent Tracestate Trailer Transfer-Encoding Upgrade
Upgrade-Insecure-Requests User-Agent Vary Via WWW-Authenticate Warning X-B3-ParentSpanId X-B3-Sampled X-B3-SpanId
X-B3-TraceId X-Content-Type-Options X-Correlation-ID X-Forwarded-For X-Forwarded-Host X-Forwarded-Port
X-Forwarded-Proto X-Frame-Options X-Powered-By X-Real-IP X-Request-ID X-Requested-With`
  .trim()
  .split(/\s+/);

/** The known names. A field's position in this list is its index in the scanner's table; 0 stands for all other names. */
export const fieldNames: readonly (FieldName | undefined)[] = [
  undefined,
  ...usualNames.map((name) => {
    const lower = name.toLowerCase();
    return { lower, prefix: Buffer.from(`${name}: `), role: roles[lower] ?? "ordinary", bytes: Buffer.from(lower) };
  }),
];

const byName = new Map(fieldNames.flatMap((name) => (name === undefined ? [] : [[name.lower, name] as const])));

/** Finds a known field by its lower-case name. */
export function knownField(lower: string): FieldName | undefined {
  return byName.get(lower);
}

/**
 * One step of a name's hash, which starts at 0. It ignores case and can't tell `^` from `~`, so `internName` compares the bytes.
 */
export function hashNameByte(hash: number, byte: number): number {
  return (Math.imul(hash, 33) + (byte | 0x20)) | 0;
}

const slotMask = 511;
const slots = new Uint8Array(slotMask + 1);
fieldNames.forEach((name, index) => {
  if (name === undefined) return;
  let slot = name.bytes.reduce(hashNameByte, 0) & slotMask;
  while (slots[slot] !== 0) slot = (slot + 1) & slotMask;
  slots[slot] = index;
});

/** The index of a known name in `fieldNames`, or 0. `hash` is the hash of the same bytes. */
export function internName(bytes: Buffer, from: number, to: number, hash: number): number {
  for (let slot = hash & slotMask; slots[slot] !== 0; slot = (slot + 1) & slotMask) {
    const index = slots[slot] as number;
    if (sameName((fieldNames[index] as FieldName).bytes, bytes, from, to)) return index;
  }
  return 0;
}

function sameName(lower: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (to - from !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) if (lower[i] !== lowerBytes[bytes[from + i] as number]) return false;
  return true;
}

/** Fields of the mesh, of identity and of routing that this codec does not list one by one. */
function isGuarded(lower: string): boolean {
  return /^tulle[-_]/.test(lower) || lower.startsWith("x-forwarded-") || lower.startsWith("grpc-");
}

/**
 * Whether `Connection` may name a field, and so have it removed (RFC 9110 §7.6.1). Known end-to-end fields can't be named:
 * otherwise a client could remove what the application, or a proxy before us, relies on.
 */
export function mayBeConnectionOption(lower: string): boolean {
  if (isGuarded(lower)) return false;
  const known = byName.get(lower);
  if (known === undefined || lower === "trailer") return true;
  switch (known.role) {
    case "keep-alive":
    case "upgrade":
    case "hop-by-hop":
      return true;
    case "ordinary":
    case "host":
    case "content-length":
    case "transfer-encoding":
    case "connection":
    case "expect":
      return false;
  }
}

const allowedTrailers = new Set(["etag", "grpc-message", "grpc-status", "server-timing", "link", "last-modified"]);

/**
 * Whether a trailer section may carry a field (RFC 9110 §6.5.1). Few of the known fields may: framing, routing, authentication
 * and content fields mean something only before the content.
 */
export function mayBeTrailer(lower: string): boolean {
  if (allowedTrailers.has(lower)) return true;
  if (/^(?:tulle[-_]|x-forwarded-)/.test(lower)) return false;
  return !byName.has(lower);
}
