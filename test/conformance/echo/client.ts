/**
 * `client URL [--method=M] [-H name:value …] [--count=N]`, as the suite runs it in a pod: one request, or N of them, and what
 * came back in the form that `utils/echo/parse.go` reads. It follows no redirect.
 */

import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { Client, credentials, status } from "@grpc/grpc-js";
import { echoMethod } from "./method.ts";

const patienceMs = 10_000;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    method: { type: "string", default: "GET" },
    header: { type: "string", short: "H", multiple: true, default: [] },
    count: { type: "string", default: "1" },
  },
});
const url = new URL(positionals[0] ?? "");
const agent = new Agent({ keepAlive: true, maxSockets: 8 });

interface Answer {
  readonly code: number;
  readonly headers: readonly string[];
  readonly body: string;
}

function ask(): Promise<Answer> {
  const headers: Record<string, string> = {};
  for (const header of values.header) {
    const colon = header.indexOf(":");
    headers[header.slice(0, colon)] = header.slice(colon + 1);
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: values.method, headers, agent, timeout: patienceMs }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      const names = response.rawHeaders.filter((_, index) => index % 2 === 0);
      const fields = names.map((name, index) => `${name}:${response.rawHeaders[2 * index + 1]}`);
      response.on("end", () => resolve({ code: response.statusCode ?? 0, headers: fields, body }));
      response.on("error", reject);
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer in time")));
    sent.on("error", reject);
    sent.end();
  });
}

const grpc = url.protocol === "grpc:" ? new Client(url.host, credentials.createInsecure()) : undefined;

function askGrpc(client: Client): Promise<Answer> {
  const { path, requestSerialize, responseDeserialize } = echoMethod;
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + patienceMs;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, "hello", { deadline }, (error, body) => {
      if (error === null) resolve({ code: 200, headers: [], body: body ?? "" });
      else reject(new Error(`${status[error.code]}: ${error.details}`));
    });
  });
}

const asked = Array.from({ length: Number(values.count) }, () => (grpc === undefined ? ask() : askGrpc(grpc)));
const answers = await Promise.all(asked);
const printed = answers.map(({ code, headers, body }, index) =>
  [
    `[${index}] Url=${url.href}`,
    `[${index}] StatusCode=${code}`,
    ...headers.map((field) => `[${index}] ResponseHeader=${field}`),
    ...body
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `[${index} body] ${line}`),
  ].join("\n"),
);
process.stdout.write(`${printed.join("\n\n")}\n`, () => process.exit(0));
