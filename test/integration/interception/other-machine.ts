/**
 * Another machine: a network namespace of its own, at the other end of a cable that `namespace.ts` plugs in once this says
 * "ready" and before it writes a line. Asks each `host:port` of its arguments, and prints the answers as one JSON array.
 */

import { once } from "node:events";
import http from "node:http";
import { run } from "../../support/namespace.ts";

function get(address: string): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get(`http://${address}/`, { agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => resolve(body));
    });
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

const [cable = "", ownAddress = "", ...addresses] = process.argv.slice(2);
process.stdout.write("ready\n");
await once(process.stdin, "data");
process.stdin.destroy();
run("ip", "address", "add", ownAddress, "dev", cable);
run("ip", "link", "set", cable, "up");
const answers: string[] = [];
for (const address of addresses) answers.push(await get(address));
process.stdout.write(`${JSON.stringify(answers)}\n`);
