/**
 * A client that accounts for every request: RATE a second to URL, whatever the answers, until SIGTERM; every POST_EVERYth of
 * them a POST, and beside them TALK_RATE messages a second on one long stream with TALK_TO. Each second it prints one line of
 * JSON: all that was sent, and what became of it (see account.ts). It runs in a pod, from its source.
 */

import { Agent, request } from "node:http";
import { begin, beginPost, isSettled, print, type Settle } from "./account.ts";
import { Conversation } from "./conversation.ts";

const url = process.env["URL"] ?? "";
const rate = Number(process.env["RATE"] ?? 50);
const postEvery = Number(process.env["POST_EVERY"] ?? Number.POSITIVE_INFINITY);
const talkTo = process.env["TALK_TO"];
const talkRate = Number(process.env["TALK_RATE"] ?? 10);
/**
 * HTTP/1.1 lets a server close a kept connection in the moment in which a request is sent on it (RFC 9112 §9.5), and so it
 * does when its pod ends. A client without a sidecar has to send that again. Were it processed, its POSTs would count twice.
 */
const repeatsCrossed = process.env["REPEATS_CROSSED"] === "yes";
const patienceMs = 10_000;
const agent = new Agent({ keepAlive: true });
const conversation = talkTo === undefined ? undefined : new Conversation(`http://${talkTo}`, talkRate * 10);
let turns = 0;

function send(): void {
  turns += 1;
  if (turns % postEvery !== 0) return exchange("GET", "", begin());
  const { number, settle } = beginPost();
  exchange("POST", `${process.env["HOSTNAME"]} ${number}`, settle);
}

function exchange(method: "GET" | "POST", body: string, settle: Settle): void {
  const headers = method === "POST" ? { "content-length": body.length } : {};
  const sent = request(url, { agent, method, headers, timeout: patienceMs }, (response) => {
    let answer = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      answer += chunk;
    });
    response.on("end", () => {
      const { statusCode, headers } = response;
      if (statusCode === 200) settle(`200 ${answer.trim()}`);
      else settle([method, statusCode, headers["tulle-error"]].join(" ").trim(), answer.trim());
    });
    response.on("error", () => settle(`${method} cut`));
  });
  sent.on("timeout", () => sent.destroy(new Error("timeout")));
  sent.on("error", (error: NodeJS.ErrnoException) => {
    if (repeatsCrossed && sent.reusedSocket && error.code === "ECONNRESET") exchange(method, body, settle);
    else settle(`${method} ${error.code ?? error.message}`);
  });
  sent.end(body);
}

/** By timers, which fall behind where the machine does: to catch up by the clock would bury it. */
const paces = [setInterval(send, 1_000 / rate)];
if (conversation !== undefined) paces.push(setInterval(() => conversation.say(), 1_000 / talkRate));
const report = setInterval(print, 1_000);
process.once("SIGTERM", () => {
  for (const pace of paces) clearInterval(pace);
  clearInterval(report);
  conversation?.end();
  setInterval(() => {
    if (!isSettled()) return;
    print();
    process.exit(0);
  }, 20);
});
