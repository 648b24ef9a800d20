/**
 * The field lines of a connection's previous head, by position. Programs usually send the same lines with each message: a
 * line that is identical, octet for octet, to the one at the same position before is neither scanned nor made into strings
 * again.
 *
 * It decides nothing, but repeats what was found in the same octets. Lines that differ cost a comparison and a copy.
 * Per connection it holds up to 16 lines of up to 128 octets, and the strings of those that occurred twice.
 */

export const maxPositions = 16;
const longestLine = 128;
/** Room is allocated for this many lines at a time. */
const positionsPerStep = 4;
const noBytes = Buffer.alloc(0);

/** Offsets of the parts of a field line, from its first octet. */
export interface LineParts {
  readonly nameEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** The name's index in `fieldNames`; 0: it is not listed. */
  readonly nameIndex: number;
}

class Line implements LineParts {
  /** The line's length including CRLF; 0: no line is remembered. */
  length = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  nameIndex = 0;
  /** Name and value as strings, once the line has come twice. */
  name: string | undefined;
  value: string | undefined;
}

export class RememberedLines {
  /** Each line has `longestLine` octets. */
  #bytes: Buffer = noBytes;
  readonly #lines: Line[] = [];

  /** Returns the line remembered at `position` if `bytes[at, to)` begins with it. */
  find(position: number, bytes: Buffer, at: number, to: number): Line | undefined {
    const line = this.#lines[position];
    if (line === undefined || line.length === 0 || at + line.length > to) return undefined;
    const remembered = this.#bytes;
    const from = position * longestLine;
    for (let i = 0; i < line.length; i++) if (remembered[from + i] !== bytes[at + i]) return undefined;
    return line;
  }

  /** The name, in lower case, of a line that was found. */
  nameAt(position: number): string {
    const line = this.#lines[position] as Line;
    line.name ??= this.#text(position, 0, line.nameEnd).toLowerCase();
    return line.name;
  }

  /** The value of a line that was found. */
  valueAt(position: number): string {
    const line = this.#lines[position] as Line;
    line.value ??= this.#text(position, line.valueStart, line.valueEnd);
    return line.value;
  }

  /** Remembers the line `bytes[at, at + length)`, which was found valid and includes its CRLF. */
  keep(position: number, bytes: Buffer, at: number, length: number, parts: LineParts): void {
    if (position >= maxPositions) return;
    while (this.#lines.length <= position) this.#lines.push(new Line());
    const line = this.#lines[position] as Line;
    line.length = length > longestLine ? 0 : length;
    line.name = line.value = undefined;
    if (line.length === 0) return;
    line.nameEnd = parts.nameEnd;
    line.valueStart = parts.valueStart;
    line.valueEnd = parts.valueEnd;
    line.nameIndex = parts.nameIndex;
    this.#makeRoom(position);
    bytes.copy(this.#bytes, position * longestLine, at, at + length);
  }

  #makeRoom(position: number): void {
    if ((position + 1) * longestLine <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow((position + positionsPerStep) * longestLine);
    this.#bytes.copy(grown);
    this.#bytes = grown;
  }

  /** A string of its own, not a slice of a whole head. */
  #text(position: number, from: number, to: number): string {
    return this.#bytes.toString("latin1", position * longestLine + from, position * longestLine + to);
  }
}
