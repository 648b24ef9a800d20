/** Cuts what arrives on a gRPC call into messages, each behind five octets: whether it is compressed, and its length. */

const prefixBytes = 5;
const noBytes = Buffer.alloc(0);

export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #receive: (message: Buffer) => void;
  readonly #prefix = Buffer.alloc(prefixBytes);
  /** Octets that are here, of the prefix or, where there is one, of the message. */
  #have = 0;
  #message: Buffer | undefined;

  /** `receive` may keep what it is given. */
  constructor(maxMessageBytes: number, receive: (message: Buffer) => void) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#receive = receive;
  }

  /** Returns what is wrong with the rest, if anything: nothing after it can be read. */
  read(chunk: Buffer): string | undefined {
    let at = 0;
    while (at < chunk.length) {
      const target = this.#message ?? this.#prefix;
      const copied = chunk.copy(target, this.#have, at);
      at += copied;
      this.#have += copied;
      if (this.#have < target.length) return undefined;
      this.#have = 0;
      const wrong = this.#message === undefined ? this.#begin() : this.#end(this.#message);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  /** A message was cut short if the call ends now. */
  get isMidMessage(): boolean {
    return this.#message !== undefined || this.#have > 0;
  }

  #begin(): string | undefined {
    if (this.#prefix[0] !== 0) return "a compressed message, which was not asked for";
    const length = this.#prefix.readUInt32BE(1);
    if (length > this.#maxMessageBytes) return `a message of ${length} bytes`;
    if (length === 0) return this.#end(noBytes);
    this.#message = Buffer.allocUnsafe(length);
    return undefined;
  }

  #end(message: Buffer): undefined {
    this.#message = undefined;
    this.#receive(message);
  }
}

/** With its prefix. */
export function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(prefixBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, prefixBytes);
  return frame;
}
