/** One `Discovery.Stream` on one TLS connection, from the dial to its end. It has no memory and tries nothing twice. */

import { createSecureContext } from "node:tls";
import { ChannelCredentials, type ClientDuplexStream } from "@grpc/grpc-js";
import type { SidecarMessage } from "../../proto/generated/tulle/v1/SidecarMessage.ts";
import type { Update__Output } from "../../proto/generated/tulle/v1/Update.ts";
import { Discovery } from "../../proto/load.ts";
import type { Credentials } from "../identity/credentials.ts";
import { controlPlaneChannel, wrongServer } from "../identity/issue.ts";

export interface ConnectionEvents {
  /** The control plane let this sidecar in. */
  readonly opened: () => void;
  readonly update: (update: Update__Output) => void;
  /** Comes once, whatever happened; nothing comes after it. */
  readonly closed: (reason: string) => void;
}

/** From the dial to `opened`. */
const openTimeoutMs = 10_000;
const maxUpdateBytes = 64 * 1024 * 1024;

const channelOptions = {
  ...controlPlaneChannel,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_receive_message_length": maxUpdateBytes,
};

export class ControlConnection {
  readonly address: string;
  readonly #client: InstanceType<typeof Discovery>;
  readonly #call: ClientDuplexStream<SidecarMessage, Update__Output>;
  readonly #events: ConnectionEvents;
  readonly #timeout: NodeJS.Timeout;
  #closed = false;

  /** Dials at once; events come later, never from here. */
  constructor(address: string, credentials: Credentials, controlPlaneIdentity: string, events: ConnectionEvents) {
    this.address = address;
    this.#events = events;
    const context = createSecureContext({
      cert: credentials.certificateChainPem,
      key: credentials.privateKeyPem,
      ca: credentials.trustBundlePem,
      minVersion: "TLSv1.3",
    });
    const channel = ChannelCredentials.createFromSecureContext(context, {
      checkServerIdentity: (_host, { raw }) => wrongServer(raw, controlPlaneIdentity),
    });
    this.#client = new Discovery(address, channel, channelOptions);
    this.#call = this.#client.Stream();
    this.#timeout = setTimeout(() => this.#end(`no answer within ${openTimeoutMs} ms`), openTimeoutMs);
    this.#call.on("metadata", () => {
      clearTimeout(this.#timeout);
      if (!this.#closed) events.opened();
    });
    this.#call.on("data", (update: Update__Output) => {
      if (!this.#closed) events.update(update);
    });
    this.#call.on("error", (error: Error) => this.#end(error.message));
    this.#call.on("end", () => this.#end("ended by the control plane"));
  }

  /** Messages wait for the connection; those of a closed one are dropped. */
  send(message: SidecarMessage): void {
    if (!this.#closed) this.#call.write(message);
  }

  /** Silently: there is no `closed` after it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timeout);
    this.#call.cancel();
    this.#client.close();
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#events.closed(reason);
  }
}
