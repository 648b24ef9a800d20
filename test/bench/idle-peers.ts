/** Sidecars of other pods that are connected and say nothing: real links over mutual TLS, which answer pings. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { join } from "node:path";
import tls from "node:tls";
import type { Endpoint } from "./processes.ts";

/** As a sidecar keeps them in its state folder. */
interface KeptCredentials {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  readonly trustBundlePem: string;
}

export class IdlePeers implements AsyncDisposable {
  readonly #sessions: http2.ClientHttp2Session[] = [];

  /** Connects `count` of them, one after the other, as the sidecar whose state folder it is. */
  async connect(to: Endpoint, stateFolder: string, count: number): Promise<void> {
    const kept = JSON.parse(readFileSync(join(stateFolder, "credentials.json"), "utf8")) as KeptCredentials;
    const context = tls.createSecureContext({
      cert: kept.certificateChainPem,
      key: kept.privateKeyPem,
      ca: kept.trustBundlePem,
    });
    for (let peer = 0; peer < count; peer++) {
      // Whom we reach is known by its address here; a sidecar would compare the SPIFFE id.
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
