/**
 * Visitors: sends REQUESTS_PER_SECOND to web, evenly paced whatever the answers, with a limit on those under way; 0 sends none.
 * Until the shop opens they come one by one: a crowd before closed doors would only trip breakers. It reports its progress
 * every ten seconds.
 */

import { Agent, get } from "node:http";

const rate = Number(process.env["REQUESTS_PER_SECOND"] ?? 20);
const maxUnderWay = 100;
const beforeOpeningEveryMs = 1_000;
const reportEveryMs = 10_000;
const patienceMs = 10_000;
const agent = new Agent({ keepAlive: true, proxyEnv: process.env });
const answers = new Map<string, number>();
let underWay = 0;
let visits: NodeJS.Timeout | undefined;
let isOpen = false;

function visit(): void {
  if (underWay >= maxUnderWay) return count("skipped");
  underWay += 1;
  const request = get("http://web/", { agent, timeout: patienceMs }, (response) => {
    response.resume();
    if (!isOpen && response.statusCode === 200) open();
    response.once("end", () => count(String(response.statusCode)));
  });
  request.once("timeout", () => request.destroy());
  request.once("error", () => count("failed"));
  request.once("close", () => {
    underWay -= 1;
  });
}

function open(): void {
  isOpen = true;
  clearInterval(visits);
  visits = setInterval(visit, 1_000 / rate);
}

function count(answer: string): void {
  answers.set(answer, (answers.get(answer) ?? 0) + 1);
}

// The first process of a container is ended only by signals that it handles.
process.once("SIGTERM", () => process.exit(0));
console.log(`load sends ${rate} requests/s to http://web/`);
if (rate > 0) {
  visit();
  visits = setInterval(visit, beforeOpeningEveryMs);
}
setInterval(() => {
  console.log([...answers].map(([answer, times]) => `${answer}: ${times}`).join(", ") || "no answer yet");
  answers.clear();
}, reportEveryMs);
