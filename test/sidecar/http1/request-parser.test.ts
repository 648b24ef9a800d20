import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Http1Limits } from "../../../sidecar/http1/limits.ts";
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

const refusedHeads: Record<string, [code: string, text: string]> = {
  "an LF without CR behind the request line": ["bad_request", "GET / HTTP/1.1\nHost: a\r\n\r\n"],
  "an LF without CR behind a field": ["bad_request", "GET / HTTP/1.1\r\nHost: a\n\r\n"],
  "an LF without CR as the end": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\n\n"],
  "a CR without LF in a value": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"],
  "a CR without LF behind the request line": ["bad_request", "GET / HTTP/1.1\rHost: a\r\n\r\n"],
  "two empty lines before a request": ["bad_request", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a folded field": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"],
  "whitespace before the first field": ["bad_request", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"],
  "whitespace before a colon": ["bad_request", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"],
  "an empty field name": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"],
  "a field without a colon": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nabc\r\n\r\n"],
  "a name that is no token": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n"],
  "an obs-text name": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nX\xe9: b\r\n\r\n"],
  "NUL in a value": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"],
  "NUL in a name": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"],
  "DEL in a value": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n"],
  "HTTP/0.9": ["bad_request", "GET /\r\n"],
  "HTTP/0.9 with a space": ["bad_request", "GET / \r\n\r\n"],
  "HTTP/2.0": ["bad_request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  "HTTP/1.2": ["bad_request", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"],
  "lower-case http": ["bad_request", "GET / http/1.1\r\nHost: a\r\n\r\n"],
  "whitespace behind the version": ["bad_request", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"],
  "two spaces in the request line": ["bad_request", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a space in the target": ["bad_request", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a tab in the request line": ["bad_request", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a control byte in the target": ["bad_request", "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a byte above ASCII in the target": ["bad_request", "GET /\xfc HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a fragment": ["bad_request", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a method that is no token": ["bad_request", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"],
  "an endless method": ["unsupported", `${"G".repeat(40)} / HTTP/1.1\r\n`],
  "a TLS hello": ["bad_request", "\x16\x03\x01\x02\x00"],
  "no Host on 1.1": ["bad_request", "GET / HTTP/1.1\r\n\r\n"],
  "two Hosts": ["bad_request", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"],
  "two Hosts on 1.0": ["bad_request", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"],
  "userinfo in Host": ["bad_request", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"],
  "a space in Host": ["bad_request", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"],
  "a list in Host": ["bad_request", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"],
  "a path in Host": ["bad_request", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"],
  "a port above 65535 in Host": ["bad_request", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"],
  "letters for a port in Host": ["bad_request", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"],
  "percent-encoding in Host": ["bad_request", "GET / HTTP/1.1\r\nHost: a%00\r\n\r\n"],
  "a Host that is not the target's": ["bad_request", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"],
  "a Host whose port is not the target's": ["bad_request", "GET http://a/ HTTP/1.1\r\nHost: a:81\r\n\r\n"],
  "userinfo in the target": ["bad_request", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  "no host in the target": ["bad_request", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"],
  "a target in no form": ["bad_request", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n"],
  "an asterisk for GET": ["bad_request", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"],
  "https in the target": ["unsupported", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
  "CONNECT without a port": ["bad_request", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"],
  "CONNECT to a path": ["bad_request", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n"],
  "CONNECT to another Host": ["bad_request", "CONNECT a:1 HTTP/1.1\r\nHost: b:1\r\n\r\n"],
  "CONNECT with a body": ["bad_request", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\nx"],
};

const refusedFraming: Record<string, [code: string, fields: string]> = {
  "CL.TE": ["bad_request", "Content-Length: 6\r\nTransfer-Encoding: chunked"],
  "TE.CL": ["bad_request", "Transfer-Encoding: chunked\r\nContent-Length: 4"],
  "TE.TE": ["bad_request", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"],
  "chunked twice": ["bad_request", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"],
  "chunked twice in one field": ["bad_request", "Transfer-Encoding: chunked, chunked"],
  "another coding below chunked": ["unsupported", "Transfer-Encoding: gzip, chunked"],
  "a coding above chunked": ["unsupported", "Transfer-Encoding: chunked, identity"],
  identity: ["unsupported", "Transfer-Encoding: identity"],
  "something like chunked": ["unsupported", "Transfer-Encoding: xchunked"],
  "chunked with a parameter": ["bad_request", "Transfer-Encoding: chunked;q=1"],
  "chunked in quotes": ["bad_request", 'Transfer-Encoding: "chunked"'],
  "chunked behind a vertical tab": ["bad_request", "Transfer-Encoding: \x0bchunked"],
  "an empty Transfer-Encoding": ["bad_request", "Transfer-Encoding:"],
  "two equal Content-Lengths": ["bad_request", "Content-Length: 5\r\nContent-Length: 5"],
  "two Content-Lengths": ["bad_request", "Content-Length: 5\r\nContent-Length: 6"],
  "a list of Content-Lengths": ["bad_request", "Content-Length: 5, 5"],
  "an empty Content-Length": ["bad_request", "Content-Length:"],
  "a plus sign": ["bad_request", "Content-Length: +5"],
  "a minus sign": ["bad_request", "Content-Length: -5"],
  "a hexadecimal Content-Length": ["bad_request", "Content-Length: 0x5"],
  "a leading zero": ["bad_request", "Content-Length: 05"],
  "a fraction": ["bad_request", "Content-Length: 5.0"],
  "an exponent": ["bad_request", "Content-Length: 5e0"],
  "a space within": ["bad_request", "Content-Length: 5 5"],
  "an overflowing Content-Length": ["bad_request", "Content-Length: 18446744073709551621"],
  "a Content-Length above 2^53": ["bad_request", "Content-Length: 9007199254740993"],
  "Connection naming Content-Length": ["bad_request", "Content-Length: 5\r\nConnection: content-length"],
  "Connection naming Host": ["bad_request", "Connection: close, Host"],
  "Connection naming Authorization": ["bad_request", "Connection: authorization"],
  "Connection naming Cookie": ["bad_request", "Connection: cookie"],
  "Connection naming a mesh field": ["bad_request", "Connection: tulle-client-id"],
  "Connection naming the trace": ["bad_request", "Connection: traceparent"],
  "Connection naming the client's address": ["bad_request", "Connection: x-forwarded-for"],
  "Connection naming no token": ["bad_request", "Connection: a b"],
};

const refusedChunks: Record<string, string> = {
  "no size": "\r\nhello",
  "a minus sign": "-1\r\nx",
  "a plus sign": "+1\r\nx",
  "a prefix 0x": "0x1\r\nx",
  "an underscore": "1_0\r\n0123456789abcdef\r\n",
  "whitespace before the size": " 1\r\nx",
  "whitespace behind the size": "1 \r\nx",
  "whitespace before an extension": "1 ;a\r\nx",
  "an LF behind the size": "1\nx",
  "a CR without LF behind the size": "1\rx\r\n",
  "an overflowing size": "10000000000000001\r\nx",
  "leading zeros without end": `${"0".repeat(20)}1\r\nx`,
  "data longer than its size": "1\r\nxy\r\n",
  "an LF behind the data": "1\r\nx\n0\r\n\r\n",
  "no CRLF behind the data": "1\r\nx0\r\n\r\n",
  "an empty extension": "1;\r\nx",
  "an extension without a value": "1;a=\r\nx",
  "an LF in an extension": "1;a\nb\r\nx",
  "an LF in a quoted extension": '1;a="\n"\r\nx',
  "a CR in a quoted extension": '1;a="\r\n"\r\nx',
  "bytes behind a quoted extension": '1;a="b"c\r\nx',
  "a folded trailer": "0\r\nX: a\r\n b\r\n\r\n",
  "a trailer without a colon": "0\r\nabc\r\n\r\n",
  "an LF as the end of the trailers": "0\r\n\n",
};

describe("what is taken", () => {
  for (const [name, text] of Object.entries(accepted)) {
    it(`takes ${name}, cut at every byte`, () => {
      const whole = readRequests([text]);
      expect(whole.refusal).toBeUndefined();
      expect(whole.messages.every((message) => message.ended)).toBe(true);
      expect(readRequests(bytewise(text))).toEqual(whole);
      for (let at = 1; at < text.length; at++) expect(readRequests([text.slice(0, at), text.slice(at)])).toEqual(whole);
    });
  }

  it("gives the same for any cut of any of them in a row", () => {
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

  it("removes hop-by-hop fields, and those that Connection names", () => {
    const { head } = request(
      "GET / HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\nConnection: keep-alive, X-Mine, te\r\nTE: trailers\r\nKeep-Alive: timeout=5\r\n" +
        "Proxy-Connection: keep-alive\r\nAccept: a\r\n\r\n",
    );
    expect(head.headers.flat).toEqual(["accept", "a"]);
  });

  it("treats a field called __proto__ like any other", () => {
    expect(request("GET / HTTP/1.1\r\nHost: a\r\n__proto__: x\r\n\r\n").head.headers.flat).toEqual(["__proto__", "x"]);
  });

  it("tells the names apart that hash alike", () => {
    const { head } = request(
      "GET / HTTP/1.1\r\nHost: a\r\nContent\x5fLength: 5\r\nTransfer\x5fEncoding: chunked\r\n\r\n",
    );
    expect(head.headers.flat).toEqual(["content_length", "5", "transfer_encoding", "chunked"]);
    expect(head.bodyLength).toBe(0);
  });

  it("takes authority and path from an absolute target", () => {
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

  it("takes the authority of CONNECT from its target", () => {
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

  it("drops trailers that must not be there, and merges none", () => {
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
