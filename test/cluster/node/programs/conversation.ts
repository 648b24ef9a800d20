/**
 * One end of a long gRPC stream: what is said comes back, in order and once. When the other end says that it leaves, what was
 * said is still answered there, and the next word goes to whom a new connection finds.
 */

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { begin, type Settle } from "./account.ts";
import { frame, leaving, readFrames } from "./frames.ts";

interface Said {
  readonly word: string;
  readonly settle: Settle;
}

/** One stream, on a connection of its own. */
class Talk {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #unanswered: Said[] = [];
  #failure = "cut";

  constructor(url: string, onEnd: () => void) {
    const session = connect(url);
    const end = (error: NodeJS.ErrnoException) => {
      this.#failure = error.code ?? error.message;
      onEnd();
    };
    session.on("error", end);
    const headers = {
      ":method": "POST",
      ":path": "/drill.Echo/Chat",
      "content-type": "application/grpc",
      te: "trailers",
    };
    const stream = session.request(headers, { endStream: false });
    stream.on("response", (head) => this.#conclude(head["grpc-status"], head["tulle-error"]));
    stream.on("trailers", (trailers) => this.#conclude(trailers["grpc-status"], trailers["grpc-message"]));
    stream.on(
      "data",
      readFrames((text) => (text === leaving ? onEnd() : this.#hear(text))),
    );
    stream.on("error", end);
    stream.on("close", () => {
      onEnd();
      session.close();
      this.#close();
    });
    this.#session = session;
    this.#stream = stream;
  }

  say(said: Said): void {
    this.#unanswered.push(said);
    this.#stream.write(frame(said.word));
  }

  /** No more will be said. */
  finish(): void {
    this.#stream.end();
  }

  get unanswered(): number {
    return this.#unanswered.length;
  }

  abandon(): void {
    this.#failure = "timeout";
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#session.destroy();
  }

  #hear(text: string): void {
    const [version, word] = text.split(" ");
    const said = this.#unanswered.shift();
    if (said?.word === word) said?.settle(`200 ${version}`);
    else (said?.settle ?? begin())("message out of turn", text);
  }

  #conclude(status: unknown, says: unknown): void {
    if (status !== undefined) this.#failure = status === "0" ? "" : [status, says].join(" ");
  }

  /** An end that was not agreed on is a failure, also where nothing was waiting for an answer. */
  #close(): void {
    const lost = this.#unanswered.splice(0).map(({ settle }) => settle);
    if (lost.length === 0 && this.#failure !== "") lost.push(begin());
    for (const settle of lost) settle(`message ${this.#failure === "" ? "lost" : this.#failure}`);
  }
}

export class Conversation {
  readonly #url: string;
  readonly #maxUnanswered: number;
  #talk: Talk | undefined;
  #words = 0;

  /** `maxUnanswered`: then the other end is given up. */
  constructor(url: string, maxUnanswered: number) {
    this.#url = url;
    this.#maxUnanswered = maxUnanswered;
  }

  say(): void {
    this.#talk ??= this.#open();
    this.#words += 1;
    this.#talk.say({ word: String(this.#words), settle: begin() });
    if (this.#talk.unanswered > this.#maxUnanswered) this.#talk.abandon();
  }

  end(): void {
    this.#talk?.finish();
  }

  #open(): Talk {
    const talk: Talk = new Talk(this.#url, () => {
      talk.finish();
      if (this.#talk === talk) this.#talk = undefined;
    });
    return talk;
  }
}
