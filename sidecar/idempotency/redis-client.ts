/**
 * The one file that knows `@redis/client`. It is a bundle of its own, so that a sidecar whose policies name no Redis does not
 * even read it: whoever needs it imports it when the time has come.
 */

import { createClient, RESP_TYPES } from "@redis/client";

/** Where a Redis is, and whose certificate proves that it is the right one. */
export interface RedisAddress {
  readonly url: string;
  /** PEM: the authorities that may have signed the certificate of a `rediss://` URL. Undefined: those that Node trusts. */
  readonly ca: string | undefined;
}

/** The parts of the client that are used here. */
export interface RedisClient {
  readonly isReady: boolean;
  sendCommand(command: readonly (string | Buffer)[]): Promise<unknown>;
  /** May be called more than once, also after the connection broke. */
  destroy(): void;
}

/** Strings in replies are Buffers. `onBroken`: the client can't be used any more; it may be called more than once. */
export async function connectTo(
  { url, ca }: RedisAddress,
  timeoutMs: number,
  onBroken: (client: RedisClient) => void,
): Promise<RedisClient> {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: "disabled",
    // Our caller decides when to reconnect, so that nothing waits for a reconnect that it doesn't know of.
    socket: {
      connectTimeout: timeoutMs,
      reconnectStrategy: false,
      ...(ca !== undefined && url.startsWith("rediss:") && { tls: true as const, ca }),
    },
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
  // Failed commands tell their callers; but without a listener an error would end the process.
  client.on("error", () => onBroken(client));
  client.on("end", () => onBroken(client));
  await client.connect();
  return client;
}
