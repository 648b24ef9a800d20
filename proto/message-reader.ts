/** Cuts the data of a gRPC call into messages. Each has a prefix of five octets: whether it is compressed, and its length. */

const prefixBytes = 5;
const noBytes = Buffer.alloc(0);
/** A length is only a claim: more room than this is allocated only as octets arrive. */
const firstRoomBytes = 16 * 1024;

/** Why the rest can't be read. */
export interface MessageFault {
  readonly kind: "compressed" | "message_size";
  /** The reason in one line. */
  readonly says: string;
}

export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #receive: (message: Buffer) => void;
  readonly #prefix = Buffer.alloc(prefixBytes);
  /** The octets received so far, of the prefix or, after that, of the message. */
  #have = 0;
  #message: Buffer | undefined;
  /** The length that the message will have. */
  #length = 0;

  /** `receive` may keep the buffer that it gets. */
  constructor(maxMessageBytes: number, receive: (message: Buffer) => void) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#receive = receive;
  }

  /** Returns a fault, if any: nothing after it can be read. */
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

  /** The octets held for an incomplete message. */
  get heldBytes(): number {
    return this.#message?.length ?? 0;
  }

  /** Whether a message would be cut short if the call ended now. */
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
 * The message of a chunk that contains exactly one complete message, as a view into that chunk; most chunks do, between two
 * messages of a call. Undefined: use a `MessageReader`.
 */
export function soleMessage(chunk: Buffer): Buffer | undefined {
  const isSole = chunk.length > prefixBytes && chunk[0] === 0 && chunk.readUInt32BE(1) === chunk.length - prefixBytes;
  return isSole ? chunk.subarray(prefixBytes) : undefined;
}

/** The message with its prefix. */
export function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(prefixBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, prefixBytes);
  return frame;
}
