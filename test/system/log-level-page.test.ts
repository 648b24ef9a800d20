import http from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type AdminServer, openAdminServer } from "../../system/admin-server.ts";
import { jsonLog, type Log, type LogThreshold } from "../../system/log.ts";
import { changeLogLevel, logLevelPath, showLogLevel } from "../../system/log-level-page.ts";
import { debugField } from "../../system/loopback-page.ts";
import { answerTo } from "../support/answer-to.ts";

let lines: unknown[];
let threshold: LogThreshold;
let log: Log;
let admin: AdminServer;

beforeEach(async () => {
  lines = [];
  threshold = { level: "info" };
  log = jsonLog("test", threshold, (line) => lines.push(JSON.parse(line)));
  admin = await openAdminServer({
    host: "127.0.0.1",
    port: 0,
    pages: new Map([[logLevelPath, showLogLevel(threshold)]]),
    changes: new Map([[logLevelPath, changeLogLevel(threshold, log)]]),
  });
});
afterEach(() => admin.close());

async function ask(method: string, query = "", headers: http.OutgoingHttpHeaders = { [debugField]: "yes" }) {
  const options = { host: "127.0.0.1", port: admin.port, method, path: `${logLevelPath}${query}`, headers };
  const asking = http.request({ ...options, agent: false }).end();
  const response = await answerTo(asking);
  return `${response.statusCode} ${(await text(response)).trim()}`;
}

it("changes what is written from one line to the next, and says so in the log", async () => {
  log("debug", "one");
  expect(await ask("PUT", "?level=debug")).toBe("200 debug");
  log("debug", "two");
  expect(await ask("GET")).toBe("200 debug");
  expect(await ask("PUT", "?level=error")).toBe("200 error");
  log("warn", "three");
  log("error", "four");
  expect(lines).toMatchObject([
    { message: "log level changed", from: "info", to: "debug" },
    { level: "debug", message: "two" },
    { message: "log level changed", from: "debug", to: "error" },
    { message: "four" },
  ]);
});

it("accepts no other level, and no other method", async () => {
  expect(await ask("PUT", "?level=loud")).toBe("400 level must be debug or info or warn or error, got loud");
  expect(await ask("PUT")).toMatch(/^400 /);
  expect(await ask("GET", "?level=debug")).toBe("200 info");
  expect(await ask("POST", "?level=debug")).toBe("405 only GET, HEAD, PUT");
});

it("can't be changed by a page in a browser, or by a program that was tricked into a request", async () => {
  expect(await ask("PUT", "?level=debug", {})).toMatch(/^403 /);
  expect(await ask("PUT", "?level=debug", { [debugField]: "yes", host: "evil.example" })).toMatch(/^421 /);
  expect(await ask("PUT", "?level=debug", { [debugField]: "yes", host: "127.evil.example:1" })).toMatch(/^421 /);
  expect(await ask("PUT", "?level=debug", { [debugField]: "yes", host: "[::1]:1" })).toBe("200 debug");
});
