/**
 * The one file that knows `@redis/client`. It is a bundle of its own, so that a sidecar whose policies name no Redis does not
 * even read it: whoever needs it imports it when the time has come.
 */

import { createClient, RESP_TYPES } from "@redis/client";

/** Where a Redis is, and whom to believe that it is the one. */
export interface RedisAddress {
  readonly url: string;
  /** PEM: who has signed the certificate of a `rediss://`. Undefined: those that Node trusts. */
  readonly ca: string | undefined;
}

/** Of the client, what is used. */
export interface RedisClient {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  sendCommand(command: readonly (string | Buffer)[]): Promise<unknown>;
  destroy(): void;
}

/** Strings of replies come as Buffers. `onBroken`: it can't be used any more; called any number of times. */
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
    // Who asks decides when to connect anew, so that nothing waits for a reconnect that it does not know of.
    socket: {
      connectTimeout: timeoutMs,
      reconnectStrategy: false,
      ...(ca !== undefined && url.startsWith("rediss:") && { tls: true as const, ca }),
    },
    commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
  // What fails is known by the commands that fail; without a listener the process would end.
  client.on("error", () => onBroken(client));
  client.on("end", () => onBroken(client));
  await client.connect();
  return client;
}
