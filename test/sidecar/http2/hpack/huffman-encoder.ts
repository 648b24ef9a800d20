import { assignCodes, codeLengths } from "../../../../sidecar/http2/hpack/huffman.ts";

/** The encoding half of the Huffman code, which only tests need. */
export function encodeHuffman(text: string): Buffer {
  const codes = assignCodes();
  let bits = "";
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    bits += (codes[symbol] as number).toString(2).padStart(codeLengths[symbol] as number, "0");
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
}
