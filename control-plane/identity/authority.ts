/** Signs workloads' certificates. The caller takes the name from a token. */

import { X509Certificate } from "node:crypto";
import { ok, type Result } from "../../model/result.ts";
import { type RequestFault, readCertificateRequest } from "./certificate-request.ts";
import { bundleOf, type Issuer } from "./issuer.ts";
import { buildLeaf, buildServerLeaf, randomSerial, type Validity } from "./x509.ts";

/** Workloads' clocks may be this far behind. */
const backdateMs = 5 * 60 * 1000;

export interface IssuedCertificate {
  readonly certificateDer: Buffer;
  /** The certificates between this one and a root: empty, or intermediates from the issuer up. */
  readonly issuerChainDer: readonly Buffer[];
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
  readonly #options: AuthorityOptions;
  readonly #listeners = new Set<() => void>();
  #issuer: Issuer;

  constructor(issuer: Issuer, options: AuthorityOptions) {
    this.#issuer = issuer;
    this.#options = options;
  }

  /** Signs with another key, or trusts other roots, from now on. */
  replace(issuer: Issuer): void {
    this.#issuer = issuer;
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after each `replace`, until `signal`. */
  onReplaced(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /** The current signer. */
  get issuer(): Issuer {
    return this.#issuer;
  }

  /** The earliest expiry among the signer's certificate and the roots. */
  get notAfterMs(): number {
    return Math.min(...[this.#issuer.certificate, ...this.#issuer.trusted].map(({ validTo }) => Date.parse(validTo)));
  }

  /** Every root that workloads should trust. */
  get trustBundleDer(): readonly Buffer[] {
    return this.#issuer.trusted.map(({ raw }) => raw);
  }

  get trustBundlePem(): string {
    return bundleOf(this.#issuer);
  }

  /** Issues a leaf for the key in a certificate request, under the name `identity`, whatever the request says. */
  issue(requestDer: Buffer, identity: string): Result<IssuedCertificate, RequestFault> {
    const publicKey = readCertificateRequest(requestDer);
    return publicKey.ok ? ok(this.certify(publicKey.value, identity)) : publicKey;
  }

  /**
   * Issues a leaf for a P-256 key (SubjectPublicKeyInfo in DER) whose owner is known to hold it. It never outlives its issuer.
   */
  certify(publicKeyDer: Buffer, identity: string): IssuedCertificate {
    return this.#sign((leaf) => buildLeaf(this.#issuer.signer, { ...leaf, publicKeyDer, identity }));
  }

  /** Issues a leaf for a server that is called by DNS names: it is nobody's identity in the mesh. */
  certifyServer(publicKeyDer: Buffer, dnsNames: readonly string[]): IssuedCertificate {
    return this.#sign((leaf) => buildServerLeaf(this.#issuer.signer, { ...leaf, publicKeyDer, dnsNames }));
  }

  #sign(build: (leaf: { serial: Buffer; validity: Validity }) => Buffer): IssuedCertificate {
    const nowMs = this.#options.wallClock();
    const wantedMs = Math.min(nowMs + this.#options.leafLifetimeMs, Date.parse(this.#issuer.certificate.validTo));
    const notAfterMs = Math.floor(wantedMs / 1000) * 1000; // certificates have no finer unit
    const serial = randomSerial();
    const certificateDer = build({ serial, validity: { notBeforeMs: nowMs - backdateMs, notAfterMs } });
    const issuerChainDer = this.#issuer.chainDer;
    return { certificateDer, issuerChainDer, serial: serial.toString("hex").toUpperCase(), notAfterMs };
  }
}

/** A certificate with everything that a peer needs to verify it, as TLS sends it. */
export function chainPem({ certificateDer, issuerChainDer }: IssuedCertificate): string {
  return [certificateDer, ...issuerChainDer].map((der) => new X509Certificate(der).toString()).join("");
}
