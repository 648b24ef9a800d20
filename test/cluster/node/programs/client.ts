/**
 * A client that accounts for every request: RATE a second to URL, whatever the answers, until SIGTERM. Each second it prints
 * one line of JSON: all that was sent, and what became of it. It runs in a pod, from its source.
 */

import { Agent, get } from "node:http";

const url = process.env["URL"] ?? "";
const rate = Number(process.env["RATE"] ?? 50);
const patienceMs = 10_000;
const agent = new Agent({ keepAlive: true });
const answers = new Map<string, number>();
const firstSeen = new Map<string, number>();
let sent = 0;
let lastFailure = "";

function count(outcome: string, says = ""): void {
  answers.set(outcome, (answers.get(outcome) ?? 0) + 1);
  if (!firstSeen.has(outcome)) firstSeen.set(outcome, Date.now());
  if (!outcome.startsWith("200")) lastFailure = `${new Date().toISOString()} ${outcome} ${says}`.trim();
}

function send(): void {
  sent += 1;
  let isSettled = false;
  const settle = (outcome: string, says?: string): void => {
    if (!isSettled) count(outcome, says);
    isSettled = true;
  };
  const request = get(url, { agent, timeout: patienceMs }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      body += chunk;
    });
    response.on("end", () => {
      const { statusCode, headers } = response;
      if (statusCode === 200) settle(`200 ${body.trim()}`);
      else settle([statusCode, headers["tulle-error"]].join(" ").trim(), body.trim());
    });
    response.on("error", () => settle("cut"));
  });
  request.on("timeout", () => request.destroy(new Error("timeout")));
  request.on("error", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
}

function print(): void {
  const account = { sent, answers: Object.fromEntries(answers), firstSeen: Object.fromEntries(firstSeen), lastFailure };
  console.log(JSON.stringify(account));
}

/** By a timer, which falls behind where the machine does: to catch up by the clock would bury it. */
const pace = setInterval(send, 1_000 / rate);
const report = setInterval(print, 1_000);
process.once("SIGTERM", () => {
  clearInterval(pace);
  clearInterval(report);
  setInterval(() => {
    const settled = [...answers.values()].reduce((sum, times) => sum + times, 0);
    if (settled < sent) return;
    print();
    process.exit(0);
  }, 20);
});
