/** A server and an upstream with real sockets, for the tests of this folder; closed after each of them. */

import { afterEach } from "vitest";
import type { MeshError } from "../../../model/errors.ts";
import type { Exchange, Layer, RequestSink, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { HeaderFields } from "../../../sidecar/net/header-fields.ts";
import { type Proxy, type ProxyOptions, startProxy } from "./proxy.ts";

/** That of the running test. */
export let proxy: Proxy;

export async function start(options?: ProxyOptions): Promise<Proxy> {
  proxy = await startProxy(options);
  return proxy;
}

afterEach(async () => {
  await proxy.close();
});

export const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
export const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** One exchange whose request has reached the upstream as far as `until`. */
export async function exchange(request: string, options?: ProxyOptions, until = "\r\n\r\n") {
  const started = await start(options);
  const client = started.client().send(request);
  const upstream = await started.nextUpstream();
  await upstream.receive(until);
  return { ...started, client, upstream };
}

/** A service of the test's own, which keeps what it is given. */
export function service(answer: (response: ResponseSink, exchange: Exchange) => void) {
  const events: string[] = [];
  const responses: ResponseSink[] = [];
  const layer: Layer = () => (exchange, response) => {
    const sink: RequestSink = {
      writeRequest: (chunk) => {
        events.push(`body ${chunk.length}`);
        return true;
      },
      endRequest: () => void events.push("end"),
      abortRequest: (error: MeshError) => void events.push(`abort ${error.code}`),
      resumeResponse: () => void events.push("resume"),
    };
    responses.push(response);
    answer(response, exchange);
    return sink;
  };
  return { layer, events, responses };
}

export function answerWith(status: number, body: string): (response: ResponseSink) => void {
  return (response) => {
    response.head({ status, headers: new HeaderFields(["content-length", String(body.length)]), bodyless: false });
    response.writeResponse(Buffer.from(body));
    response.endResponse();
  };
}
