/**
 * The Huffman code of HPACK (RFC 7541 §5.2, Appendix B): decoding only.
 *
 * Our encoder never uses it: between two sidecars nearly every field is one byte out of the dynamic table, and what is
 * not would cost more CPU to squeeze than the network saves.
 */

/**
 * Bits per symbol, 256 being EOS. The code is canonical: codes of one length are consecutive in symbol order, and each
 * length continues where the shorter one ended. So the lengths are the whole table.
 */
export const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const endOfString = 256;

/** The canonical codes, by symbol. */
export function assignCodes(): number[] {
  const codes: number[] = [];
  const symbols = codeLengths.map((bits, symbol) => ({ bits, symbol }));
  symbols.sort((a, b) => a.bits - b.bits || a.symbol - b.symbol);
  let code = 0;
  let bitsBefore = 0;
  for (const { bits, symbol } of symbols) {
    code <<= bits - bitsBefore;
    bitsBefore = bits;
    codes[symbol] = code++;
  }
  return codes;
}

/*
 * The decoder walks the code tree four bits at a time. An entry of `steps` is, for one inner node and one nibble:
 * the next node in bits 0-7, a symbol in bits 8-15, whether there is a symbol (no code is shorter than 5 bits, so at
 * most one), whether the walk may end here, and whether the input is invalid.
 */
const emits = 1 << 16;
const mayEnd = 1 << 17;
const invalid = 1 << 18;
const steps = buildSteps();

function buildSteps(): Uint32Array {
  const children: number[][] = [[]]; // a child below zero is the leaf of symbol -1 - child
  const codes = assignCodes();
  for (const [symbol, bits] of codeLengths.entries()) {
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const branch = ((codes[symbol] as number) >> bit) & 1;
      const list = children[node] as number[];
      list[branch] ??= children.push([]) - 1;
      node = list[branch];
    }
    (children[node] as number[])[(codes[symbol] as number) & 1] = -1 - symbol;
  }
  const endings = endingNodes(children);
  const table = new Uint32Array(children.length << 4);
  for (let node = 0; node < children.length; node++) {
    for (let nibble = 0; nibble < 16; nibble++) table[(node << 4) | nibble] = walk(children, endings, node, nibble);
  }
  return table;
}

/** Padding is fewer than 8 bits of EOS, all ones, so the input may end at any of the first eight nodes along that path. */
function endingNodes(children: readonly number[][]): Set<number> {
  const endings = new Set<number>();
  let node = 0;
  for (let ones = 0; ones < 8; ones++) {
    endings.add(node);
    node = children[node]?.[1] as number;
  }
  return endings;
}

function walk(children: readonly number[][], endings: Set<number>, from: number, nibble: number): number {
  let node = from;
  let step = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = children[node]?.[(nibble >> bit) & 1] as number;
    const symbol = -1 - child;
    if (symbol === endOfString) return invalid;
    if (child < 0) step |= emits | (symbol << 8);
    node = child < 0 ? 0 : child;
  }
  return step | node | (endings.has(node) ? mayEnd : 0);
}

const scratch = Buffer.allocUnsafeSlow(4096);

/** The text of `input[from, to)` as latin1. Undefined: it contains EOS, or its padding is too long or not all ones. */
export function decodeHuffman(input: Buffer, from: number, to: number): string | undefined {
  const maxBytes = Math.floor(((to - from) * 8) / 5);
  // The buffer of a huge string is not kept.
  const output = maxBytes <= scratch.length ? scratch : Buffer.allocUnsafe(maxBytes);
  let length = 0;
  let step = mayEnd;
  for (let i = from; i < to; i++) {
    const byte = input[i] as number;
    step = steps[((step & 0xff) << 4) | (byte >> 4)] as number;
    if ((step & emits) !== 0) output[length++] = step >> 8;
    if ((step & invalid) !== 0) return undefined;
    step = steps[((step & 0xff) << 4) | (byte & 15)] as number;
    if ((step & emits) !== 0) output[length++] = step >> 8;
    if ((step & invalid) !== 0) return undefined;
  }
  return (step & mayEnd) === 0 ? undefined : output.toString("latin1", 0, length);
}
