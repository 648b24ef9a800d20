/** Colour, only if a person is looking at a terminal (https://no-color.org). */

import type { WriteStream } from "node:tty";
import { stripVTControlCharacters } from "node:util";

export type Colour = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

export type Paint = (colour: Colour, text: string) => string;

const codes: Readonly<Record<Colour, readonly [open: number, close: number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
  dim: [2, 22],
  bold: [1, 22],
};

export const plain: Paint = (_colour, text) => text;

export const coloured: Paint = (colour, text) => {
  const [open, close] = codes[colour];
  return `\u001b[${open}m${text}\u001b[${close}m`;
};

/** Any value of `NO_COLOR` except the empty one, and `TERM=dumb`, turn colour off. */
export function paintFor(stream: Pick<WriteStream, "isTTY">, env: NodeJS.ProcessEnv): Paint {
  const wanted = stream.isTTY && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return wanted ? coloured : plain;
}

/** Text from others must not colour, move or clear anything on the terminal. */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll("\t", "  ")
    .replace(/\p{Cc}/gu, "");
}
