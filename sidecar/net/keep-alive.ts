/** How a connection finds out that its other end vanished without a word: by the kernel, however long it may be silent. */

export const keepAliveAfterMs = 60_000;

/** For `net.connect` and `net.createServer`. */
export const tcpKeepAlive = { keepAlive: true, keepAliveInitialDelay: keepAliveAfterMs } as const;
