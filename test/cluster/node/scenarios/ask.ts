/**
 * `ask KIND HOST:PORT COUNT`: that many exchanges, one after the other, each on a connection of its own. Prints one line of
 * JSON: how often each outcome came, what was heard or the error's name. Without arguments it waits to be told to end.
 */

import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { Client, credentials, status } from "@grpc/grpc-js";
import { createClient } from "@redis/client";
import { WebSocket } from "ws";
import { echoService } from "./echo-service.ts";

const patienceMs = 15_000;
const said = "hello";

/** What a connection says, line by line. Rejects with `closed` where it ends before it has said enough. */
async function converse(
  address: string,
  lines: number,
  answer: (line: string, socket: net.Socket) => void,
): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const socket = net.connect({ host, port: Number(port), signal: AbortSignal.timeout(patienceMs) });
  const heard: string[] = [];
  try {
    for await (const line of createInterface({ input: socket })) {
      heard.push(line);
      if (heard.length === lines) return heard.join(", ");
      answer(line, socket);
    }
  } finally {
    socket.destroy();
  }
  throw new Error("closed");
}

function lines(address: string): Promise<string> {
  return converse(address, 2, (_greeting, socket) => socket.write(`${said}\n`));
}

/** https://docs.nats.io/reference/reference-protocols/nats-protocol: INFO comes first; what was published comes back. */
async function nats(address: string): Promise<string> {
  const commands = `CONNECT {"verbose":false}\r\nSUB topic 1\r\nPUB topic ${said.length}\r\n${said}\r\n`;
  const heard = await converse(address, 3, (line, socket) => {
    if (line.startsWith("INFO")) socket.write(commands);
  });
  return heard.replace(/^INFO \{.*?\}\s*, /, "INFO, ");
}

async function http(address: string): Promise<string> {
  const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(patienceMs) });
  return `${response.status} ${await response.text()}`;
}

async function websocket(address: string): Promise<string> {
  const socket = new WebSocket(`ws://${address}/`, { handshakeTimeout: patienceMs });
  try {
    await once(socket, "open");
    socket.send(said);
    const [message] = (await once(socket, "message", { signal: AbortSignal.timeout(patienceMs) })) as [Buffer];
    return message.toString();
  } finally {
    socket.terminate();
  }
}

async function grpc(address: string): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const deadline = Date.now() + patienceMs;
  try {
    const { path, requestSerialize, responseDeserialize } = echoService.Say;
    const answer = await new Promise<string>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, said, { deadline }, (error, message) => {
        if (error === null) resolve(message ?? "");
        else reject(new Error(status[error.code]));
      });
    });
    const chat = client.makeBidiStreamRequest(echoService.Chat.path, requestSerialize, responseDeserialize, {
      deadline,
    });
    const heard = [answer];
    for (const word of ["one", "two"]) {
      chat.write(word);
      const [message] = (await once(chat, "data")) as [string];
      heard.push(message);
    }
    chat.end();
    await once(chat, "status");
    return heard.join(", ");
  } finally {
    client.close();
  }
}

async function redis(address: string): Promise<string> {
  const client = createClient({ url: `redis://${address}`, socket: { reconnectStrategy: false } });
  client.on("error", () => {}); // the call that fails says it too
  try {
    await client.connect();
    await client.set("word", said);
    return (await client.get("word")) ?? "nothing";
  } finally {
    client.destroy();
  }
}

const kinds: Readonly<Record<string, (address: string) => Promise<string>>> = {
  http,
  websocket,
  grpc,
  lines,
  redis,
  nats,
};
const [kind, address = "", count = "1"] = process.argv.slice(2);

if (kind === undefined) {
  setInterval(() => {}, 60_000);
  process.once("SIGTERM", () => process.exit(0));
} else {
  const ask = kinds[kind];
  if (ask === undefined) throw new Error(`no such kind: ${kind}`);
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < Number(count); i++) {
    const outcome = await ask(address).catch((error: Error & { code?: string }) => error.code ?? error.message);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  process.stdout.write(`${JSON.stringify(outcomes)}\n`, () => process.exit(0));
}
