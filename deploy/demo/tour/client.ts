/**
 * A client that shares no code with the mesh: Node's own HTTP and sockets. It enters the mesh like any program with
 * `http_proxy` set, through the outbound port of a pod's sidecar, and so calls with that pod's identity.
 */

import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";

export interface Answer {
  /** 0: there was no answer. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** In the time of `performance.now()`. */
  readonly startedAtMs: number;
  readonly tookMs: number;
}

export interface Ask {
  readonly url: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

const outboundPort = 15001;
const patienceMs = 10_000;

export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  /** Sends it through the sidecar of the pod with this address. */
  viaPod(podIP: string, ask: Ask): Promise<Answer> {
    const headers = { ...ask.headers, host: new URL(ask.url).host };
    return this.#send(podIP, outboundPort, ask.url, { ...ask, headers });
  }

  /** Sends it straight to an address, past the mesh. */
  direct(ask: Ask): Promise<Answer> {
    const { hostname, port, pathname, search } = new URL(ask.url);
    return this.#send(hostname, Number(port), pathname + search, ask);
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(host: string, port: number, path: string, { method = "GET", headers = {}, body }: Ask): Promise<Answer> {
    const startedAtMs = performance.now();
    return new Promise((resolve) => {
      const settle = (status: number, received: IncomingHttpHeaders, text: string) =>
        resolve({ status, headers: received, body: text, startedAtMs, tookMs: performance.now() - startedAtMs });
      const options = { host, port, path, method, headers, agent: this.#agent, timeout: patienceMs };
      const outgoing = request(options, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", (error) => settle(0, {}, error.message));
        incoming.on("end", () => settle(incoming.statusCode ?? 0, incoming.headers, Buffer.concat(chunks).toString()));
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${patienceMs} ms`)));
      outgoing.on("error", (error) => settle(0, {}, error.message));
      outgoing.end(body);
    });
  }
}

/** Asks `count` times, `parallel` at a time. */
export async function askMany(ask: () => Promise<Answer>, count: number, parallel: number): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      answers.push(await ask());
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return answers;
}

/** Asks continuously, `parallel` at a time, until `stop` is called, which returns all answers in the order of their start. */
export function askOn(ask: () => Promise<Answer>, parallel: number): { stop: () => Promise<readonly Answer[]> } {
  const answers: Answer[] = [];
  let going = true;
  const worker = async () => {
    while (going) answers.push(await ask());
  };
  const workers = Promise.all(Array.from({ length: parallel }, worker));
  return {
    stop: async () => {
      going = false;
      await workers;
      return answers.sort((a, b) => a.startedAtMs - b.startedAtMs);
    },
  };
}
