/** Connections in the clear to servers known beforehand to speak HTTP/2 (RFC 9113 §3.3). */

import net from "node:net";
import type { Clock } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import { err, ok } from "../../model/result.ts";
import { Http2Client } from "../http2/client.ts";
import type { ConnectLink } from "../mesh-link/link.ts";
import { asLinkConnection } from "../mesh-link/link-connection.ts";
import { connectFailureCode } from "../net/connect-failure.ts";
import { Deadline } from "../net/deadline.ts";
import { tcpKeepAlive } from "../net/keep-alive.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";

export interface PlainTarget {
  readonly host: string;
  readonly port: number;
  /** Default: Node's own. */
  readonly lookup?: net.LookupFunction;
}

export function plainHttp2(target: PlainTarget, clock: Clock, wheel: TimerWheel): ConnectLink {
  return (timeoutMs, events, done) => {
    const socket = net.connect({ ...target, noDelay: true, ...tcpKeepAlive });
    const late = new Deadline(() => socket.destroy(new Error("no answer in time")));
    if (Number.isFinite(timeoutMs)) wheel.arm(late, timeoutMs);
    const fail = (error: Error): void => {
      wheel.clear(late);
      const where = `${target.host}:${target.port}: ${error.message}`;
      done(err(new MeshError(connectFailureCode(error), where, { cause: error, processed: "unprocessed" })));
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.off("error", fail); // from here on the client reports the end, once
      const client = new Http2Client(socket, { clock, timers: wheel });
      // It may speak something else: then it closes the connection, or we do.
      client.onClosed = (error) => fail(new Error(`no HTTP/2 connection: ${error?.message ?? "closed"}`));
      client.onReady = () => {
        wheel.clear(late);
        done(ok(asLinkConnection(client, events, () => Number.POSITIVE_INFINITY)));
      };
    });
  };
}
