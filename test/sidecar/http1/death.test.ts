import * as net from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { type Proxy, startProxy } from "./proxy.ts";

let proxy: Proxy;

afterEach(async () => {
  await proxy.close();
});

const requests: Record<string, string> = {
  "a request of known length": "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
  "a chunked request":
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
  "an upgrade": "GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw",
};

const answers: Record<string, string> = {
  "an answer of known length": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "a chunked answer":
    "HTTP/1.1 103 Hi\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
};

describe("death at every byte: nothing thrown, nothing left behind", () => {
  for (const [name, request] of Object.entries(requests))
    for (const how of ["close", "reset"] as const)
      it(`survives a client that dies within ${name} by ${how}`, async () => {
        proxy = await startProxy({
          upstream: (connection) => {
            connection.socket.once("data", () => connection.send("HTTP/1.1 100 Continue\r\n\r\n"));
          },
        });
        for (let at = 0; at <= request.length; at++) {
          const socket = net.connect({ host: "127.0.0.1", port: proxy.port });
          socket.on("error", () => undefined);
          socket.write(request.slice(0, at), () => {
            if (how === "close") socket.destroy();
            else socket.resetAndDestroy();
          });
        }
        await eventually(() => proxy.connections.size === 0 && proxy.upstreams.length > 0);
        await eventually(() => proxy.pool.size === 0 || proxy.upstreams.every((each) => each.received === ""));
        expect(proxy.refusals).toEqual([]);
      });

  for (const [name, answer] of Object.entries(answers))
    for (const how of ["close", "reset"] as const)
      it(`answers 502 or cuts the client off when the upstream dies within ${name} by ${how}`, async () => {
        let at = 0;
        proxy = await startProxy({
          upstream: (connection) => {
            connection.socket.once("data", () => {
              connection.socket.write(answer.slice(0, at), () => {
                if (how === "close") connection.socket.destroy();
                else connection.socket.resetAndDestroy();
              });
            });
          },
        });
        for (at = 0; at < answer.length; at++) {
          const client = proxy.client().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
          await client.closed;
          const final = client.received.replace("HTTP/1.1 103 Early Hints\r\n\r\n", "");
          const isOwn = /^HTTP\/1\.1 502 .*tulle-error: upstream_/s.test(final);
          const isComplete = final.endsWith("0\r\n\r\n") || final.endsWith("Content-Length: 5\r\n\r\nhello");
          expect([at, isOwn || !isComplete]).toEqual([at, true]);
        }
        expect(proxy.connections.size).toBe(0);
        expect(proxy.pool.size).toBe(0);
      });
});
