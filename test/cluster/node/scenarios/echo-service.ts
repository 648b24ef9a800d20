/** The gRPC service between the programs of this folder. Its messages are text. */

const text = {
  requestSerialize: (message: string) => Buffer.from(message),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (message: string) => Buffer.from(message),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
} as const;

export const echoService = {
  Say: { path: "/scenarios.Echo/Say", requestStream: false, responseStream: false, ...text },
  Chat: { path: "/scenarios.Echo/Chat", requestStream: true, responseStream: true, ...text },
} as const;
