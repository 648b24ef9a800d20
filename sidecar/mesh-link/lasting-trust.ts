/**
 * Whether a connection that was trusted once still is: when a root is dropped from the bundle, the connections that rely on it
 * end. It checks whose key each chain goes back to; signatures were checked in the handshake, and expiry is `connect.ts`'
 * business.
 */

import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { certificatesIn, type Identity } from "../identity/credentials.ts";

export class LastingTrust {
  readonly #identity: Identity;
  /** The last certificate of each end's chain, issued by a root. */
  readonly #tops: readonly X509Certificate[];
  /** The bundle that was checked last. */
  #bundlePem: string;
  #holds = true;

  /** To be created after the handshake, with the credentials that were used in it. */
  constructor(socket: TLSSocket, identity: Identity) {
    const { certificateChainPem, trustBundlePem } = identity.current();
    const own = certificatesIn(certificateChainPem).at(-1);
    const peer = topOf(socket.getPeerX509Certificate());
    this.#identity = identity;
    this.#tops = [own, peer].filter((top) => top !== undefined);
    this.#bundlePem = trustBundlePem;
  }

  /** Cheap as long as the bundle stays the same. */
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
