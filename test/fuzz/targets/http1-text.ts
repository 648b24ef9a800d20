/** Lines and morsels of HTTP/1.1, for both of its targets. */

import { latin1 } from "../target.ts";

const LF = 0x0a;

export function splitLines(input: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < input.length; ) {
    const end = input.indexOf(LF, at);
    const next = end < 0 ? input.length : end + 1;
    lines.push(input.subarray(at, next));
    at = next;
  }
  return lines;
}

export function joinLines(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines);
}

export const http1Dictionary: readonly Buffer[] = [
  ...latin1("\0", "\t", "\n", "\v", "\r", " ", '"', "#", ",", "/", ":", ";", "=", "?", "@", "[", "]", "\\"),
  ...latin1("\x7f", "\x80", "\xff", "%00", "*", "\r\n", "\r\n\r\n", "\n\n", "\r\r\n", "\r\n ", " HTTP/1.1\r\n"),
  ...latin1("GET ", "HEAD ", "POST ", "OPTIONS ", "CONNECT ", "HTTP/1.0", "HTTP/2.0", "http://b@c/", "http://[::1]:8/"),
  ...latin1("chunked", "gzip, chunked", "close", "keep-alive", "upgrade", "host", "websocket", "h2c", "100-continue"),
  ...latin1(
    "Host: b\r\n",
    "Connection: close, host\r\n",
    "Connection: x\r\n",
    "Upgrade: websocket\r\n",
    "TE: trailers\r\n",
  ),
  ...latin1("Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "Cookie: a=1\r\n"),
  ...latin1("Expect: 100-continue\r\n", "Keep-Alive: timeout=5\r\n", "Trailer: x\r\n", "__proto__: x\r\n"),
  ...latin1(
    "0\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "5\r\nhello\r\n",
    '1;a="b\\""\r\n',
    "ffffffffffffffff",
    "0x5",
    "-1",
    "+5",
    "05",
  ),
  ...latin1("5, 5", "HTTP/1.1 101 x\r\n", "HTTP/1.1 100 \r\n\r\n", "HTTP/1.1 204 \r\n", "HTTP/1.0 304 x\r\n"),
];
