/**
 * `npm run test:h2spec`: the HTTP/2 conformance suite h2spec (https://github.com/summerwind/h2spec) against `serveHttp2`.
 * Installs the suite with Go if it is not there. Every test counts, the optional ones of `--strict` too.
 *
 * The suite was written for RFC 7540. RFC 9113 took back the priority scheme (§5.3.1), so it no longer asks that a
 * stream depending on itself be refused ("5.3.1"); we still refuse it, so no test is excepted.
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import * as net from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { serveHttp2 } from "../../sidecar/http2/server.ts";
import type { Exchange, RequestSink, ResponseSink } from "../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";

const version = "v2.2.1+incompatible";
const expectedTests = 146;
const bin = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "tulle-tools", "bin");
const h2spec = join(bin, "h2spec");

function install(): void {
  if (existsSync(h2spec)) return;
  console.log(`h2spec: installing ${version} into ${bin}`);
  const { status, error } = spawnSync("go", ["install", `github.com/summerwind/h2spec/cmd/h2spec@${version}`], {
    stdio: "inherit",
    env: { ...process.env, GOBIN: bin },
  });
  if (status === 0) return;
  console.error(`h2spec: needs Go to build it (https://go.dev/dl)${error === undefined ? "" : `: ${error.message}`}`);
  process.exit(2);
}

const body = Buffer.from("every request gets this answer\n");

/** Answers when the request is complete. */
function respond(exchange: Exchange, response: ResponseSink): RequestSink {
  const isHead = exchange.method === "HEAD";
  return {
    writeRequest: () => true,
    endRequest: () => {
      const headers = new HeaderFields(["content-length", String(body.length)]);
      response.head({ status: 200, headers, bodyless: isHead });
      if (!isHead) response.writeResponse(body);
      response.endResponse();
    },
    abortRequest: () => {},
    resumeResponse: () => {},
  };
}

install();
const options = { clock: performance, timers: new TimerWheel(performance) };
const server = net.createServer((socket) => serveHttp2(socket, respond, options));
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as net.AddressInfo;
  const args = ["--strict", "--host", "127.0.0.1", "--port", String(port), "--timeout", "2", ...process.argv.slice(2)];
  const suite = spawn(h2spec, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  suite.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    process.stdout.write(chunk);
  });
  suite.on("close", (code) => {
    const [, tests, passed] = /(\d+) tests, (\d+) passed/.exec(output) ?? [];
    const whole = process.argv.length > 2 || Number(tests) === expectedTests;
    if (!whole) console.error(`h2spec: expected ${expectedTests} tests, it ran ${tests ?? "none"}`);
    process.exit(code === 0 && tests === passed && whole ? 0 : 1);
  });
});
