/** What can be fuzzed: one parser or one end of a connection, and what must hold for any input to it. */

import { readdirSync, readFileSync } from "node:fs";
import type { Random } from "../../model/clock.ts";

export interface Target {
  /** Also the folder of its corpus. */
  readonly name: string;
  /** The sources whose blocks count as coverage: parts of their URLs. */
  readonly sources: readonly string[];
  /** What has bitten parsers of this kind before. */
  readonly dictionary: readonly Buffer[];
  readonly maxInputBytes: number;
  /** Cuts an input into parts that are worth moving as a whole: lines, frames. Joined they are the input again. */
  split(input: Buffer): Buffer[];
  /** Puts parts together; where a format says how long a part is, it says so truly. */
  join(parts: readonly Buffer[]): Buffer;
  /** Throws where something does not hold. The same input gets the same chances. */
  check(input: Buffer, random: Random): void | Promise<void>;
}

const corpusFolder = new URL("corpus/", import.meta.url);

export function corpusOf(target: Target): URL {
  return new URL(`${target.name}/`, corpusFolder);
}

/** Inputs by the name of their file. */
export function readCorpus(target: Target): ReadonlyMap<string, Buffer> {
  const folder = corpusOf(target);
  return new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(new URL(name, folder))]),
  );
}

/** A number for the chances of one input, so that a failure comes again whenever the input does (FNV-1a). */
export function seedOf(input: Buffer): number {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Cuts anywhere: sometimes into single bytes. */
export function cut(input: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  const most = random() < 0.2 ? 1 : 40;
  for (let at = 0; at < input.length; ) {
    const end = at + 1 + Math.floor(random() * most);
    pieces.push(input.subarray(at, end));
    at = end;
  }
  return pieces;
}

export function latin1(...texts: string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text, "latin1"));
}
