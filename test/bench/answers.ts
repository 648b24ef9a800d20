/** Whether a chain answers yet, in the protocol that it speaks. */

import http2 from "node:http2";
import net from "node:net";
import type { Ground, Wire } from "./ground.ts";
import { type Endpoint, until } from "./processes.ts";

const answersWithinMs = 20_000;
const patienceMs = 5_000;

/** Resolves when a request got a 200 (`tcp`: when the application can be reached). */
export function whenAnswering(wire: Wire, { out }: Ground): Promise<void> {
  return until(() => asks[wire](out), `the chain does not answer at ${out.host}:${out.port}`, answersWithinMs);
}

const asks: Readonly<Record<Wire, (out: Endpoint) => Promise<boolean>>> = {
  http1: ({ host, port }) => answersOk(`http://${host}:${port}/api/v1/items`),
  http2: answersHttp2,
  tcp: answersTcp,
};

export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    // Not ready yet: if it never is, the caller reports it.
    return false;
  }
}

function answersHttp2({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://${host}:${port}`);
    const settle = (answer: boolean): void => {
      session.destroy();
      resolve(answer);
    };
    session.setTimeout(patienceMs, () => settle(false));
    session.on("error", () => settle(false));
    const request = session.request({ ":path": "/api/v1/items" });
    request.on("response", (headers) => settle(headers[":status"] === 200));
    request.on("error", () => settle(false));
  });
}

/** The application answers each connection's first byte at once: see `tcp-application.ts`. */
function answersTcp({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(patienceMs, () => settle(false));
    socket.on("error", () => settle(false));
    socket.on("close", () => settle(false));
    socket.on("data", () => settle(true));
    socket.write("down");
  });
}
