import { expect, it } from "vitest";
import { MeshError } from "../../../model/errors.ts";
import { createLog, type LogLevel } from "../../../sidecar/telemetry/log.ts";

function logging(level?: LogLevel) {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => lines.push(line),
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    fields: { pod: "web-1" },
    ...(level === undefined ? {} : { level }),
  });
  return { log, lines, read: () => lines.map((line): unknown => JSON.parse(line)) };
}

it("writes one JSON object a line, the message constant and the rest in fields", () => {
  const { log, lines } = logging();
  log.warn("endpoint refused the connection", { endpoint: "10.0.0.1:8080", tries: 2 });
  expect(lines).toEqual([
    '{"time":"2026-01-02T03:04:05.006Z","level":"warn","message":"endpoint refused the connection","pod":"web-1","endpoint":"10.0.0.1:8080","tries":2}\n',
  ]);
});

it("can't be made to write a second line by what it is given", () => {
  const { log, lines } = logging();
  log.info("request", { path: '/a\n{"level":"error"}' });
  expect(lines[0]?.trimEnd()).not.toContain("\n");
});

it("writes nothing below its level", () => {
  const { log, lines } = logging("warn");
  log.debug("a");
  log.info("b");
  log.error("c");
  expect(lines).toHaveLength(1);
});

it("says an error with its code and cause", () => {
  const { log, read } = logging();
  const cause = new Error("ECONNREFUSED");
  log.error("dial failed", { error: new MeshError("connect_failed", "10.0.0.1:8080", { cause }) });
  expect(read()).toMatchObject([
    {
      error: {
        name: "MeshError",
        code: "connect_failed",
        message: "10.0.0.1:8080",
        cause: { message: "ECONNREFUSED" },
      },
    },
  ]);
});

it("never writes what looks like a secret", () => {
  const { log, lines, read } = logging();
  const pem = "-----BEGIN PRIVATE KEY-----\nMIG…\n-----END PRIVATE KEY-----\n";
  log.info("x", {
    token: "t0p",
    headers: { Authorization: "Bearer t0p", cookie: "t0p" },
    privateKey: "t0p",
    pem,
    apiKey: "t0p",
  });
  expect(lines.join("")).not.toContain("t0p");
  expect(lines.join("")).not.toContain("MIG");
  expect(read()).toMatchObject([{ token: "[redacted]", headers: { Authorization: "[redacted]" }, pem: "[redacted]" }]);
});
