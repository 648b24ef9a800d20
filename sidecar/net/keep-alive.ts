/** Makes the kernel detect that the other end has vanished without a word, however long the connection may be silent. */

export const keepAliveAfterMs = 60_000;

/** For `net.connect` and `net.createServer`. */
export const tcpKeepAlive = { keepAlive: true, keepAliveInitialDelay: keepAliveAfterMs } as const;
