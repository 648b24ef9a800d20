import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLimits, type Http1Limits } from "../../../sidecar/http1/limits.ts";
import { RequestParser } from "../../../sidecar/http1/parser.ts";
import { refusedChunks, refusedFraming, refusedHeads } from "./hostile-requests.ts";
import { bytewise, cuts, readRequests } from "./messages.ts";

function request(text: string) {
  const { messages, refusal } = readRequests([text]);
  expect(refusal).toBeUndefined();
  expect(messages).toHaveLength(1);
  const message = messages[0];
  if (message?.head === undefined) throw new Error("no head");
  return { ...message, head: message.head };
}

const accepted: Record<string, string> = {
  "a GET": "GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nX-Own: 1\r\n\r\n",
  "an empty line before a request": "\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
  "a body of known length": "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
  "a chunked body":
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
  "chunk extensions":
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1;a;b=c;d="e \\"f"\r\nx\r\n0;z\r\n\r\n',
  trailers:
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 9\r\nHost: evil\r\n\r\n",
  "two pipelined requests":
    "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  "obs-text in a value": "GET / HTTP/1.1\r\nHost: a\r\nX-Name: \xfc\xdf\t\x80\r\n\r\n",
  "HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
  "names in odd case": "GET / HTTP/1.1\r\nhOST: a\r\ncOnTeNt-TyPe: text/plain\r\nx_y: 1\r\nX-Y: 2\r\n\r\n",
};

describe("what is accepted", () => {
  for (const [name, text] of Object.entries(accepted)) {
    it(`accepts ${name}, cut at every byte`, () => {
      const whole = readRequests([text]);
      expect(whole.refusal).toBeUndefined();
      expect(whole.messages.every((message) => message.ended)).toBe(true);
      expect(readRequests(bytewise(text))).toEqual(whole);
      for (let at = 1; at < text.length; at++) expect(readRequests([text.slice(0, at), text.slice(at)])).toEqual(whole);
    });
  }

  it("reads any of them in a row the same, wherever they are cut", () => {
    const rows = fc.shuffledSubarray(
      Object.values(accepted).filter((text) => !text.startsWith("\r\n")),
      { minLength: 1 },
    );
    const cutRows = rows.chain((texts) => cuts(texts.join("")).map((pieces) => ({ text: texts.join(""), pieces })));
    fc.assert(
      fc.property(cutRows, ({ text, pieces }) => {
        expect(readRequests(pieces)).toEqual(readRequests([text]));
      }),
    );
  });
});

it("does not take an empty line after a body as the beginning of a head", () => {
  const listener = { receiveHead: () => {}, receiveBody: () => {}, receiveEnd: () => {}, refuse: () => {} };
  const parser = new RequestParser(defaultLimits, listener);
  for (const text of ["\r", "\n"]) {
    parser.read(Buffer.from(text), 0);
    expect(parser.insideHead).toBe(false);
  }
  parser.read(Buffer.from("G"), 0);
  expect(parser.insideHead).toBe(true);
});

describe("what is refused", () => {
  /** The code of the refusal, the same for the whole text and for its single bytes. */
  function refusalOf(text: string): string | undefined {
    const whole = readRequests([text]);
    expect(whole.messages.filter((message) => message.ended)).toEqual([]);
    expect(readRequests(bytewise(text)).refusal).toEqual(whole.refusal);
    return whole.refusal?.code;
  }

  for (const [name, [code, text]] of Object.entries(refusedHeads))
    it(`refuses ${name}`, () => expect(refusalOf(text)).toBe(code));

  for (const [name, [code, fields]] of Object.entries(refusedFraming))
    it(`refuses ${name}`, () => {
      const text = `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`;
      expect(refusalOf(text)).toBe(code);
      expect(readRequests([text]).messages).toEqual([]);
    });

  it("refuses Transfer-Encoding on HTTP/1.0", () => {
    expect(refusalOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).toBe("bad_request");
  });

  for (const [name, chunks] of Object.entries(refusedChunks))
    it(`refuses a chunked body with ${name}`, () => {
      const text = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
      expect(refusalOf(text)).toBe("bad_request");
    });
});

describe("limits", () => {
  const at = (limits: Partial<Http1Limits>, text: string) => readRequests([text], limits).refusal?.code;
  const get = (fields: string) => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

  it("bounds the head to the byte", () => {
    const text = get("X: abc\r\n");
    expect(at({ headBytes: text.length }, text)).toBeUndefined();
    expect(at({ headBytes: text.length - 1 }, text)).toBe("head_too_large");
  });

  it("bounds the number of fields", () => {
    expect(at({ fields: 3 }, get("A: 1\r\nB: 2\r\n"))).toBeUndefined();
    expect(at({ fields: 3 }, get("A: 1\r\nB: 2\r\nC: 3\r\n"))).toBe("head_too_large");
  });

  it("bounds the target", () => {
    const target = `/${"a".repeat(99)}`;
    expect(at({ targetBytes: 100 }, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBeUndefined();
    expect(at({ targetBytes: 100 }, `GET ${target}b HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe("uri_too_long");
  });

  it("refuses an endless target before its end", () => {
    expect(readRequests(["GET /", "a".repeat(9000)]).refusal?.code).toBe("uri_too_long");
  });

  it("bounds chunk extensions over the whole message", () => {
    const text = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${"1;abcdefg\r\nx\r\n".repeat(10)}0\r\n\r\n`;
    expect(at({ chunkExtensionBytes: 100 }, text)).toBeUndefined();
    expect(at({ chunkExtensionBytes: 60 }, text)).toBe("bad_request");
  });

  it("bounds trailers", () => {
    const text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: 1\r\nB: 2\r\n\r\n";
    expect(at({ trailerBytes: 14 }, text)).toBeUndefined();
    expect(at({ trailerBytes: 13 }, text)).toBe("head_too_large");
    expect(at({ fields: 2 }, text.replace("B: 2", "B: 2\r\nC: 3"))).toBe("head_too_large");
  });
});

describe("what a head means", () => {
  it("keeps end-to-end fields in order, in lower case", () => {
    const { head } = request("GET / HTTP/1.1\r\nHost: a.test:81\r\nX-B: 1 \r\nAccept:\t*/*\r\nx-b: 2\r\n\r\n");
    expect(head).toMatchObject({ method: "GET", authority: "a.test:81", path: "/", bodyless: true, keepAlive: true });
    expect(head.headers.flat).toEqual(["x-b", "1", "accept", "*/*", "x-b", "2"]);
  });

  it("removes hop-by-hop fields, and those named by Connection", () => {
    const { head } = request(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\nConnection: keep-alive, X-Mine, te\r\nTE: trailers\r\nKeep-Alive: timeout=5\r\n" +
        "Proxy-Connection: keep-alive\r\nAccept: a\r\n\r\n",
    );
    expect(head.headers.flat).toEqual(["accept", "a"]);
  });

  it("treats a field called __proto__ like any other", () => {
    expect(request("GET / HTTP/1.1\r\nHost: a\r\n__proto__: x\r\n\r\n").head.headers.flat).toEqual(["__proto__", "x"]);
  });

  it("tells names apart that have the same hash", () => {
    const { head } = request(
      "GET / HTTP/1.1\r\nHost: a\r\nContent\x5fLength: 5\r\nTransfer\x5fEncoding: chunked\r\n\r\n",
    );
    expect(head.headers.flat).toEqual(["content_length", "5", "transfer_encoding", "chunked"]);
    expect(head.bodyLength).toBe(0);
  });

  it("reads authority and path from an absolute target", () => {
    expect(request("GET http://A.test/b?c HTTP/1.1\r\nHost: a.test:80\r\n\r\n").head).toMatchObject({
      authority: "A.test",
      path: "/b?c",
      proxied: true,
    });
    expect(request("GET http://a?c HTTP/1.1\r\nHost: a\r\n\r\n").head.path).toBe("/?c");
    expect(request("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").head.path).toBe("/");
    expect(request("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n").head.path).toBe("*");
    expect(request("GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]\r\n\r\n").head.authority).toBe("[::1]:80");
  });

  it("reads the authority of CONNECT from its target", () => {
    const { head } = request("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    expect(head).toMatchObject({ method: "CONNECT", authority: "a.test:443", path: "", bodyless: false });
  });

  it("keeps the asterisk of OPTIONS", () => {
    expect(request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").head.path).toBe("*");
  });

  it("keeps HTTP/1.0 open only when asked", () => {
    expect(request("GET / HTTP/1.0\r\n\r\n").head.keepAlive).toBe(false);
    expect(request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").head.keepAlive).toBe(true);
    expect(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n").head.keepAlive).toBe(false);
  });

  it("names the protocol of an upgrade, and never h2c", () => {
    const upgrade = (fields: string, line = "GET / HTTP/1.1") => {
      const { head } = request(`${line}\r\nHost: a\r\n${fields}\r\n\r\n`);
      return [head.upgrade, head.bodyless, head.headers.flat.join()];
    };
    expect(upgrade("Connection: Upgrade\r\nUpgrade: WebSocket")).toEqual(["websocket", false, ""]);
    expect(upgrade("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM")).toEqual([
      undefined,
      true,
      "",
    ]);
    expect(upgrade("Connection: Upgrade\r\nUpgrade: h2c, websocket")[0]).toBe("websocket");
    expect(upgrade("Connection: Upgrade\r\nUpgrade: a b, c/1, d")[0]).toBe("c/1");
    expect(upgrade("Upgrade: websocket")[0]).toBeUndefined();
    expect(upgrade("Connection: Upgrade\r\nUpgrade: websocket", "GET / HTTP/1.0")[0]).toBeUndefined();
    expect(upgrade("Connection: Upgrade\r\nUpgrade: websocket", "DELETE / HTTP/1.1")[0]).toBeUndefined();
  });

  it("ignores the expectation of HTTP/1.0", () => {
    const http10 = request("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx").head;
    expect([http10.expectsContinue, http10.headers.has("expect")]).toEqual([false, false]);
    const http11 = request("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx").head;
    expect([http11.expectsContinue, http11.headers.has("expect")]).toEqual([true, true]);
  });

  it("drops forbidden trailers, and merges none", () => {
    const forbidden = [
      "Content-Length: 9",
      "Transfer-Encoding: chunked",
      "Host: b",
      "Authorization: x",
      "Cookie: x",
      "Tulle-Client-Id: x",
      "X-Forwarded-For: x",
      "Content-Type: x",
      "Connection: x",
      "Trailer: x",
      "Te: x",
      "Set-Cookie: x",
      "Traceparent: x",
    ];
    const message = request(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${forbidden.join("\r\n")}\r\nX-Sum: 1\r\nGrpc-Status: 0\r\n\r\n`,
    );
    expect(message.trailers).toEqual(["x-sum", "1", "grpc-status", "0"]);
    expect(message.head.headers.flat).toEqual([]);
  });
});
