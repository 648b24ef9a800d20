/** Signs workloads' certificates with the mesh's root. Whose name goes in is decided by who calls, from a token. */

import { ok, type Result } from "../../model/result.ts";
import { type RequestFault, readCertificateRequest } from "./certificate-request.ts";
import type { Root } from "./root.ts";
import { buildLeaf, buildServerLeaf, randomSerial, type Validity } from "./x509.ts";

/** Workloads' clocks may be this far behind. */
const backdateMs = 5 * 60 * 1000;

export interface IssuedCertificate {
  readonly certificateDer: Buffer;
  /** Hexadecimal, as `openssl x509 -serial` prints it. */
  readonly serial: string;
  readonly notAfterMs: number;
}

export interface AuthorityOptions {
  /** How long a leaf is valid from now. */
  readonly leafLifetimeMs: number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

export class CertificateAuthority {
  readonly #root: Root;
  readonly #options: AuthorityOptions;

  constructor(root: Root, options: AuthorityOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Every root that workloads are to trust. */
  get trustBundleDer(): readonly Buffer[] {
    return [this.#root.certificate.raw];
  }

  get trustBundlePem(): string {
    return this.#root.certificate.toString();
  }

  /** A leaf for the key in a certificate request, named `identity`, whatever the request says. */
  issue(requestDer: Buffer, identity: string): Result<IssuedCertificate, RequestFault> {
    const publicKey = readCertificateRequest(requestDer);
    return publicKey.ok ? ok(this.certify(publicKey.value, identity)) : publicKey;
  }

  /** A leaf for a P-256 key (SubjectPublicKeyInfo in DER) whose owner is known to hold it. Never outlives the root. */
  certify(publicKeyDer: Buffer, identity: string): IssuedCertificate {
    return this.#sign((leaf) => buildLeaf(this.#root.signer, { ...leaf, publicKeyDer, identity }));
  }

  /** A leaf for a server that is called by DNS names: it is nobody's identity in the mesh. */
  certifyServer(publicKeyDer: Buffer, dnsNames: readonly string[]): IssuedCertificate {
    return this.#sign((leaf) => buildServerLeaf(this.#root.signer, { ...leaf, publicKeyDer, dnsNames }));
  }

  #sign(build: (leaf: { serial: Buffer; validity: Validity }) => Buffer): IssuedCertificate {
    const nowMs = this.#options.wallClock();
    const wantedMs = Math.min(nowMs + this.#options.leafLifetimeMs, Date.parse(this.#root.certificate.validTo));
    const notAfterMs = Math.floor(wantedMs / 1000) * 1000; // certificates know no smaller unit
    const serial = randomSerial();
    const certificateDer = build({ serial, validity: { notBeforeMs: nowMs - backdateMs, notAfterMs } });
    return { certificateDer, serial: serial.toString("hex").toUpperCase(), notAfterMs };
  }
}
