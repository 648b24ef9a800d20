/**
 * Text messages in gRPC's framing (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), for ends without a gRPC
 * library.
 */

const prefixBytes = 5;

export function frame(text: string): Buffer {
  const message = Buffer.from(text);
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Calls back with each message, however its bytes come. */
export function readFrames(each: (text: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= prefixBytes) {
      const end = prefixBytes + rest.readUInt32BE(1);
      if (rest.length < end) return;
      const text = rest.toString("utf8", prefixBytes, end);
      rest = rest.subarray(end);
      each(text);
    }
  };
}

/** What a server says when it is about to go: that no new message may come on this stream. */
export const leaving = "leaving";
