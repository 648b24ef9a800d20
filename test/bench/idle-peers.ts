/** Connected but silent sidecars of other pods: real links over mutual TLS that answer pings. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { join } from "node:path";
import tls from "node:tls";
import type { Endpoint } from "./processes.ts";

/** The credentials in a sidecar's state folder. */
interface KeptCredentials {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  readonly trustBundlePem: string;
}

export class IdlePeers implements AsyncDisposable {
  readonly #sessions: http2.ClientHttp2Session[] = [];

  /** Opens `count` connections, one after the other, with the identity of the sidecar that owns the state folder. */
  async connect(to: Endpoint, stateFolder: string, count: number): Promise<void> {
    const kept = JSON.parse(readFileSync(join(stateFolder, "credentials.json"), "utf8")) as KeptCredentials;
    const context = tls.createSecureContext({
      cert: kept.certificateChainPem,
      key: kept.privateKeyPem,
      ca: kept.trustBundlePem,
    });
    for (let peer = 0; peer < count; peer++) {
      // Here the address identifies the other end; a sidecar would compare the SPIFFE id.
      const socket = tls.connect({
        ...to,
        secureContext: context,
        ALPNProtocols: ["h2"],
        checkServerIdentity: () => undefined,
      });
      await once(socket, "secureConnect");
      const session = http2.connect(`https://${to.host}:${to.port}`, { createConnection: () => socket });
      await once(session, "remoteSettings");
      this.#sessions.push(session);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions.splice(0)) {
      const closed = once(session, "close");
      session.destroy();
      await closed;
    }
  }
}
