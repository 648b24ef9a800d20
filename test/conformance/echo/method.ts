/** The one gRPC method between the client and the server of this folder. Its messages are text. */

export const echoMethod = {
  path: "/proto.EchoTestService/Echo",
  requestStream: false,
  responseStream: false,
  requestSerialize: (text: string) => Buffer.from(text),
  requestDeserialize: (bytes: Buffer) => bytes.toString(),
  responseSerialize: (text: string) => Buffer.from(text),
  responseDeserialize: (bytes: Buffer) => bytes.toString(),
} as const;
