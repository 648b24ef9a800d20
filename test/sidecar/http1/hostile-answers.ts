/** Answers after which nobody can say where the next one begins. `evil` is what no client may ever see. */

export const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

export interface Desync {
  readonly text: string;
  /** Of the request that it answers; GET by default. */
  readonly method?: string;
}

export const desyncs: Readonly<Record<string, Desync>> = {
  "bytes behind an answer of known length": { text: `${ok}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil` },
  "a body on 204": { text: "HTTP/1.1 204 No Content\r\n\r\nevil" },
  "a body on 304": { text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil" },
  "a body on the answer to HEAD": { text: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", method: "HEAD" },
  "a length on 204": { text: "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil" },
  "a length on 204 to HEAD": { text: "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", method: "HEAD" },
  "a flood of 1xx": { text: "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000) },
  "a 101 that nobody asked for": {
    text: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nevil",
  },
  "no HTTP at all": { text: "SSH-2.0-OpenSSH_9.2\r\n" },
  "both framings": { text: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
  "an endless head": { text: `HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}` },
};
