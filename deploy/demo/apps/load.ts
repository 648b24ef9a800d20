/**
 * Visitors: REQUESTS_PER_SECOND to web, at an even pace whatever the answers, with a bound on those under way; 0 sends none.
 * It says how it goes once in ten seconds.
 */

import { Agent, get } from "node:http";

const rate = Number(process.env["REQUESTS_PER_SECOND"] ?? 20);
const maxUnderWay = 100;
const reportEveryMs = 10_000;
const patienceMs = 10_000;
const agent = new Agent({ keepAlive: true, proxyEnv: process.env });
const answers = new Map<string, number>();
let underWay = 0;

function visit(): void {
  if (underWay >= maxUnderWay) return count("skipped");
  underWay += 1;
  const request = get("http://web/", { agent, timeout: patienceMs }, (response) => {
    response.resume();
    response.once("end", () => count(String(response.statusCode)));
  });
  request.once("timeout", () => request.destroy());
  request.once("error", () => count("failed"));
  request.once("close", () => {
    underWay -= 1;
  });
}

function count(answer: string): void {
  answers.set(answer, (answers.get(answer) ?? 0) + 1);
}

console.log(`load sends ${rate} requests/s to http://web/`);
if (rate > 0) setInterval(visit, 1_000 / rate);
setInterval(() => {
  console.log([...answers].map(([answer, times]) => `${answer}: ${times}`).join(", ") || "no answer yet");
  answers.clear();
}, reportEveryMs);
