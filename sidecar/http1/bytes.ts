/** Byte classes of RFC 9110 §5.6 and RFC 9112: one table lookup per byte, for the scanners of this folder. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const QUOTE = 0x22;
export const HASH = 0x23;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;

function classOf(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0));
}

const tokenText = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** `tchar`: methods, field names, chunk extension names. */
export const tokenBytes = classOf((byte) => tokenText.includes(String.fromCharCode(byte)));

/** What a field value may hold: HTAB, SP, VCHAR and obs-text. */
export const valueBytes = classOf((byte) => byte === HTAB || (byte >= SP && byte !== 0x7f));

/**
 * What a request target may hold. Looser than RFC 3986 in one point: printable ASCII that belongs percent-encoded
 * (`|`, `{`, `"`) passes, because browsers send it in queries. `#` never does: a fragment is not sent.
 */
export const targetBytes = classOf((byte) => byte > SP && byte < 0x7f && byte !== HASH);

/** The value of a hexadecimal digit; 255 for any other byte. */
export const hexValues = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
  return digit < 0 ? 255 : digit;
});

/** Maps ASCII letters to lower case, and every other byte to itself. */
export const lowerBytes = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);

/** Whether a string is one token, for values that were not scanned as one. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (tokenBytes[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
}
