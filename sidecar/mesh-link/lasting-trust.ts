/**
 * Whether a connection that was trusted once still is: a root that is dropped from the bundle ends what it has vouched for.
 * It looks at whose key each chain goes back to; signatures were checked in the handshake, and expiry is `connect.ts`' business.
 */

import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { certificatesIn, type Identity } from "../identity/credentials.ts";

export class LastingTrust {
  readonly #identity: Identity;
  /** The last certificate of each end's chain: a root has issued it. */
  readonly #tops: readonly X509Certificate[];
  /** For which bundle it was looked at last. */
  #bundlePem: string;
  #holds = true;

  /** After the handshake, with the credentials that it was made with. */
  constructor(socket: TLSSocket, identity: Identity) {
    const { certificateChainPem, trustBundlePem } = identity.current();
    const own = certificatesIn(certificateChainPem).at(-1);
    const peer = topOf(socket.getPeerX509Certificate());
    this.#identity = identity;
    this.#tops = [own, peer].filter((top) => top !== undefined);
    this.#bundlePem = trustBundlePem;
  }

  /** Cheap while the bundle is the same. */
  get holds(): boolean {
    const { trustBundlePem } = this.#identity.current();
    if (trustBundlePem !== this.#bundlePem) {
      this.#bundlePem = trustBundlePem;
      const roots = certificatesIn(trustBundlePem);
      this.#holds = this.#tops.every((top) => roots.some((root) => top.checkIssued(root)));
    }
    return this.#holds;
  }
}

function topOf(leaf: X509Certificate | undefined): X509Certificate | undefined {
  let top = leaf;
  while (top?.issuerCertificate !== undefined && !top.checkIssued(top)) top = top.issuerCertificate;
  return top;
}
