/**
 * Runs h2spec against three ports of sidecar processes, each with an application that speaks HTTP/2 behind it. Every test
 * counts, the optional ones of `--strict` too.
 *
 * The suite was written for RFC 7540. RFC 9113 took back the priority scheme (§5.3.1), so it no longer asks that a
 * stream depending on itself be refused ("5.3.1"); we still refuse it, so no test is excepted.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { workloadId } from "../support/authority.ts";
import { addRule, setUpLoopback } from "../support/namespace.ts";
import { type ProcessPair, startSidecarProcesses } from "../support/sidecar-processes.ts";

const expectedTests = 146;
const meshPort = 15_008;
const plainPort = 15_006;
const port = 8_090;
/** What is dialled here comes to the plain port of `orders`. */
const redirected = "10.1.0.1";
const pods = { web: "127.41.0.1", orders: "127.41.0.2" };

interface Address {
  readonly host: string;
  readonly port: number;
}

async function startApplication(host: string): Promise<void> {
  const server = http2.createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("every request gets this answer\n"));
  });
  server.listen(port, host);
  await once(server, "listening");
}

/** The suite has no client certificate: this presents that of `web`. */
async function startForwarder({ authority, orders }: ProcessPair): Promise<Address> {
  const { certificateChainPem, privateKeyPem, trustBundlePem } = authority.credentials(workloadId("web"));
  const credentials = { cert: certificateChainPem, key: privateKeyPem, ca: trustBundlePem };
  const server = net.createServer((socket) => {
    const link = tls.connect({
      ...credentials,
      host: orders,
      port: meshPort,
      ALPNProtocols: ["h2"],
      checkServerIdentity: () => undefined, // it has a URI, and no name
    });
    socket.pipe(link).pipe(socket);
    for (const [one, other] of [
      [socket, link],
      [link, socket],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroySoon());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port };
}

async function runSuite(h2spec: string, { host, port }: Address, sections: readonly string[]): Promise<string> {
  const at = ["--host", host, "--port", String(port), "--timeout", "2"];
  const suite = spawn(h2spec, ["--strict", ...at, ...sections], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  suite.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(suite, "close");
  return output;
}

/** Whether all passed; if not, the suite's own words are printed. */
function judge(name: string, output: string, isWhole: boolean): boolean {
  const [, tests, passed] = /(\d+) tests, (\d+) passed/.exec(output) ?? [];
  const holds = tests !== undefined && tests === passed && (!isWhole || Number(tests) === expectedTests);
  console.log(`h2spec: ${name}: ${passed ?? "none"} of ${isWhole ? expectedTests : (tests ?? "none")} passed`);
  if (!holds) console.error(output);
  return holds;
}

const [h2spec = "", ...sections] = process.argv.slice(2);
setUpLoopback([redirected]);
addRule("iptables", "-d", redirected, "-j", "DNAT", "--to-destination", `${pods.orders}:${plainPort}`);
await using pair = await startSidecarProcesses({
  ...pods,
  port,
  protocol: "http2",
  ordersArguments: ["--intercept", "iptables"],
});
await startApplication(pair.orders);
const ports: Readonly<Record<string, Address>> = {
  "inbound, in the clear": { host: redirected, port },
  "mesh link": await startForwarder(pair),
  outbound: pair.upstream,
};
let holds = true;
for (const [name, address] of Object.entries(ports)) {
  const output = await runSuite(h2spec, address, sections);
  holds = judge(name, output, sections.length === 0) && holds;
}
await pair[Symbol.asyncDispose]();
process.exit(holds ? 0 : 1);
