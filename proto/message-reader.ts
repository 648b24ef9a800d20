/** Cuts what arrives on a gRPC call into messages, each behind five octets: whether it is compressed, and its length. */

const prefixBytes = 5;
const noBytes = Buffer.alloc(0);
/** A length is only a claim: more room than this is made as octets come. */
const firstRoomBytes = 16 * 1024;

/** Why the rest can't be read. */
export interface MessageFault {
  readonly kind: "compressed" | "message_size";
  /** In one line. */
  readonly says: string;
}

export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #receive: (message: Buffer) => void;
  readonly #prefix = Buffer.alloc(prefixBytes);
  /** Octets that are here, of the prefix or, where there is one, of the message. */
  #have = 0;
  #message: Buffer | undefined;
  /** What the message will have. */
  #length = 0;

  /** `receive` may keep what it is given. */
  constructor(maxMessageBytes: number, receive: (message: Buffer) => void) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#receive = receive;
  }

  /** Returns what is wrong with the rest, if anything: nothing after it can be read. */
  read(chunk: Buffer): MessageFault | undefined {
    let at = 0;
    while (at < chunk.length) {
      const target = this.#message ?? this.#prefix;
      const copied = chunk.copy(target, this.#have, at);
      at += copied;
      this.#have += copied;
      if (this.#have < target.length) return undefined;
      const wrong = this.#message === undefined ? this.#begin() : this.#fill(this.#message);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  /** Octets that are kept for a message that is not whole yet. */
  get heldBytes(): number {
    return this.#message?.length ?? 0;
  }

  /** A message was cut short if the call ends now. */
  get isMidMessage(): boolean {
    return this.#message !== undefined || this.#have > 0;
  }

  #begin(): MessageFault | undefined {
    this.#have = 0;
    if (this.#prefix[0] !== 0) return { kind: "compressed", says: "a compressed message, which was not asked for" };
    const length = this.#prefix.readUInt32BE(1);
    if (length > this.#maxMessageBytes) return { kind: "message_size", says: `a message of ${length} bytes` };
    if (length === 0) return this.#end(noBytes);
    this.#length = length;
    this.#message = Buffer.allocUnsafe(Math.min(length, firstRoomBytes));
    return undefined;
  }

  #fill(message: Buffer): undefined {
    if (message.length === this.#length) return this.#end(message);
    this.#message = Buffer.allocUnsafe(Math.min(this.#length, 2 * message.length));
    message.copy(this.#message);
  }

  #end(message: Buffer): undefined {
    this.#have = 0;
    this.#message = undefined;
    this.#receive(message);
  }
}

/**
 * The message of a chunk that holds one, whole, and nothing else, as a part of that chunk: most do, between two others of a call.
 * Undefined: it is for a `MessageReader`.
 */
export function soleMessage(chunk: Buffer): Buffer | undefined {
  const isSole = chunk.length > prefixBytes && chunk[0] === 0 && chunk.readUInt32BE(1) === chunk.length - prefixBytes;
  return isSole ? chunk.subarray(prefixBytes) : undefined;
}

/** With its prefix. */
export function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(prefixBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, prefixBytes);
  return frame;
}
