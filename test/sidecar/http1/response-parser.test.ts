import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytewise, cuts, readResponse } from "./messages.ts";

const accepted: Record<string, [text: string, method?: string]> = {
  "a body of known length": ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello"],
  "a chunked body with trailers": [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
  ],
  "a body until close": ["HTTP/1.1 200 OK\r\n\r\nhello"],
  "a body until close of HTTP/1.0": ["HTTP/1.0 200 OK\r\n\r\nhello"],
  "a status without a reason": ["HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"],
  "a status without even a space behind it": ["HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"],
  "informational heads": [
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
  ],
  "the answer to HEAD": ["HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "HEAD"],
  "a chunked answer to HEAD": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD"],
  "a 304 with a length": ["HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"],
  "a 204": ["HTTP/1.1 204 No Content\r\n\r\n"],
};

const refused: Record<string, string> = {
  "no status line": "hello\r\n\r\n",
  "HTTP/2": "HTTP/2 200 OK\r\n\r\n",
  "status 99": "HTTP/1.1 99 x\r\n\r\n",
  "status 600": "HTTP/1.1 600 x\r\n\r\n",
  "a status of four digits": "HTTP/1.1 2000 x\r\n\r\n",
  "an LF without CR": "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
  "a folded field": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
  "both lengths": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
  "Transfer-Encoding on HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a coding that is not chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "a 204 with a length": "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
  "a chunked 204": "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a 100 with a length": "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello",
  "a 101 that nobody asked for":
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  "Connection naming Set-Cookie": "HTTP/1.1 200 OK\r\nConnection: set-cookie\r\nContent-Length: 0\r\n\r\n",
};

describe("what is accepted", () => {
  for (const [name, [text, method = "GET"]] of Object.entries(accepted))
    it(`accepts ${name}, cut at every byte`, () => {
      const whole = readResponse([text], { method });
      expect(whole.refusal).toBeUndefined();
      expect(whole.messages.at(-1)?.ended).toBe(true);
      expect(whole.behind).toBe(0);
      expect(readResponse(bytewise(text), { method })).toEqual(whole);
      for (let at = 1; at < text.length; at++)
        expect(readResponse([text.slice(0, at), text.slice(at)], { method })).toEqual(whole);
    });

  it("reads the same, wherever it is cut", () => {
    const rows = fc.constantFrom(...Object.values(accepted));
    const cutRows = rows.chain(([text, method = "GET"]) => cuts(text).map((pieces) => ({ text, method, pieces })));
    fc.assert(
      fc.property(cutRows, ({ text, method, pieces }) => {
        expect(readResponse(pieces, { method })).toEqual(readResponse([text], { method }));
      }),
    );
  });
});

describe("what is refused", () => {
  for (const [name, text] of Object.entries(refused))
    it(`refuses ${name}`, () => {
      const whole = readResponse([text]);
      expect(whole.refusal?.code).toBe("bad_response");
      expect(whole.messages).toEqual([]);
      expect(readResponse(bytewise(text)).refusal).toEqual(whole.refusal);
    });
});

describe("what a head means", () => {
  const head = (text: string, asked = { method: "GET" }) => readResponse([text], asked).messages.at(-1)?.head;

  it("says whether the connection stays open", () => {
    expect(head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?.keepAlive).toBe(true);
    expect(head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?.keepAlive).toBe(false);
    expect(head("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")?.keepAlive).toBe(false);
    expect(head("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")?.keepAlive).toBe(true);
    expect(head("HTTP/1.1 200 OK\r\n\r\n")?.keepAlive).toBe(false);
  });

  it("reads how long the server keeps the connection", () => {
    const kept = head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: max=100, timeout=5\r\n\r\n");
    expect(kept?.keepAliveTimeoutMs).toBe(5000);
    expect(kept?.headers.has("keep-alive")).toBe(false);
  });

  it("switches only to the protocol asked for", () => {
    const answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\nraw";
    const switched = readResponse([answer], { method: "GET", upgrade: "websocket" });
    expect(switched.messages[0]?.head?.switches).toBe(true);
    expect(switched.behind).toBe(3);
    expect(readResponse([answer], { method: "GET", upgrade: "other" }).refusal?.code).toBe("bad_response");
  });

  it("opens a tunnel with 2xx to CONNECT, whatever length it claims", () => {
    const answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw";
    const opened = readResponse([answer], { method: "CONNECT" });
    expect(opened.messages[0]?.head).toMatchObject({ switches: true });
    expect(opened.messages[0]?.head?.headers.flat).toEqual([]);
    expect(opened.behind).toBe(3);
    expect(
      readResponse(["HTTP/1.1 407 x\r\nContent-Length: 3\r\n\r\nabc"], { method: "CONNECT" }).messages[0]?.body,
    ).toBe("abc");
  });

  it("does not take a close as the end of a body with a length", () => {
    for (const framing of ["Content-Length: 9", "Transfer-Encoding: chunked"])
      expect(readResponse([`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n5\r\nhe`]).messages[0]?.ended).toBe(false);
  });

  it("leaves bytes after a response to its caller", () => {
    expect(readResponse(["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1"]).behind).toBe(8);
    expect(readResponse(["HTTP/1.1 204 No Content\r\n\r\nhello"]).behind).toBe(5);
  });
});
