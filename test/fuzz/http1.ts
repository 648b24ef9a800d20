/**
 * Fuzzes the HTTP/1 parsers: `node test/fuzz/http1.ts [runs] [seed]`. The same seed gives the same inputs.
 *
 * Each input is a message of the corpus (`corpus/http1`: also every input that once failed) with some mutations. It must
 * hold for each that nothing throws, that any cut reads like the whole, and that what is written of an accepted request
 * reads back as the same request: a proxy that forwards other than it understood is a way to smuggle.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { Random } from "../../model/clock.ts";
import { defaultLimits } from "../../sidecar/http1/limits.ts";
import type { ReceivedRequest } from "../../sidecar/http1/request-head.ts";
import { writeRequestHead } from "../../sidecar/http1/writer.ts";
import { Exchange } from "../../sidecar/net/exchange.ts";
import { Outbox } from "../../sidecar/net/outbox.ts";
import { readRequests, readResponse } from "../sidecar/http1/messages.ts";
import { seededRandom } from "../support/seeded-random.ts";

const corpus = new URL("corpus/http1/", import.meta.url);

/** Messages by the name of their file, which starts with `request` or `response`. */
export function readCorpus(): ReadonlyMap<string, string> {
  return new Map(readdirSync(corpus).map((name) => [name, readFileSync(new URL(name, corpus), "latin1")]));
}

/** What has bitten parsers before. */
const morsels = [
  "\0",
  "\t",
  "\n",
  "\v",
  "\r",
  " ",
  '"',
  "#",
  ",",
  "/",
  ":",
  ";",
  "=",
  "?",
  "@",
  "[",
  "]",
  "\\",
  "\x7f",
  "\x80",
  "\xff",
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  "\r\r\n",
  "0\r\n\r\n",
  " HTTP/1.1\r\n",
  "HTTP/1.0",
  "chunked",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Connection: close, host\r\n",
  "Host: b\r\n",
  "Upgrade: websocket\r\n",
  "ffffffffffffffff",
  "0x5",
  "-1",
  "+5",
  "05",
  "5, 5",
  '1;a="',
  "HTTP/1.1 101 x\r\n",
  "http://b@c/",
  "*",
  "CONNECT ",
];

function mutate(text: string, others: readonly string[], random: Random): string {
  const pick = (length: number) => Math.floor(random() * length);
  let mutated = text;
  for (let left = pick(5); left >= 0; left--) {
    const at = pick(mutated.length + 1);
    const to = Math.min(mutated.length, at + pick(12));
    const other = others[pick(others.length)] ?? "";
    const insert = [
      morsels[pick(morsels.length)] ?? "",
      String.fromCharCode(pick(256)),
      mutated.slice(at, to),
      other.slice(pick(other.length), pick(other.length)),
      "",
    ][pick(5)] as string;
    mutated = mutated.slice(0, at) + insert + mutated.slice(random() < 0.5 ? at : to);
  }
  return mutated;
}

function cut(text: string, random: Random): string[] {
  const pieces: string[] = [];
  const most = random() < 0.2 ? 1 : 40;
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + Math.floor(random() * most);
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}

/** Checks what must hold for one input, as a request and as a response. */
export function check(text: string, random: Random): void {
  const requests = readRequests([text]);
  assert.deepEqual(readRequests(cut(text, random)), requests);
  for (const { head } of requests.messages) if (head !== undefined) checkForwarded(head);
  for (const asked of [
    { method: "GET" },
    { method: "HEAD" },
    { method: "CONNECT" },
    { method: "GET", upgrade: "websocket" },
  ])
    assert.deepEqual(readResponse(cut(text, random), asked), readResponse([text], asked));
}

function checkForwarded(head: ReceivedRequest): void {
  const written: Buffer[] = [];
  const outbox = new Outbox(
    { destroyed: false, write: (chunk) => written.push(Buffer.from(chunk)) > 0 },
    () => undefined,
  );
  writeRequestHead(outbox, new Exchange(head), head.bodyLength === "chunked" ? "chunked" : "none");
  outbox.flush();
  const text = Buffer.concat(written).toString("latin1");
  const { messages, refusal } = readRequests([text], { headBytes: 2 * defaultLimits.headBytes });
  assert.equal(refusal, undefined);
  const forwarded = messages[0]?.head;
  assert.ok(forwarded !== undefined);
  const { method, authority, path, headers, upgrade, bodyLength } = forwarded;
  const understood = { method, authority, path, headers, upgrade, bodyLength };
  const received = { method: head.method, authority: head.authority, path: head.path, headers: head.headers };
  assert.deepEqual(understood, { ...received, upgrade: head.upgrade, bodyLength: head.bodyLength });
}

/** Throws at the first input for which something does not hold, and names it. */
export function fuzz(runs: number, seed: number): void {
  const random = seededRandom(seed);
  const messages = [...readCorpus().values()];
  for (let run = 0; run < runs; run++) {
    const text = mutate(messages[Math.floor(random() * messages.length)] as string, messages, random);
    try {
      check(text, random);
    } catch (cause) {
      throw new Error(`run ${run} of seed ${seed}: ${JSON.stringify(text)}`, { cause });
    }
  }
}

if (import.meta.main) {
  const [runs = 100_000, seed = Date.now() % 2 ** 31] = process.argv.slice(2).map(Number);
  fuzz(runs, seed);
  console.log(`http1: ${runs} inputs held, seed ${seed}`);
}
