/** The certificates and trusted roots of this replica's sidecars, each from the start of its stream to its end. */

import type { SidecarCertificate } from "./census.ts";
import { authorityKeyIdOf } from "./certificate-fields.ts";

export interface ConnectedSidecar extends Omit<SidecarCertificate, "notAfterMs" | "signerKeyId"> {
  /** Its client certificate, in DER. */
  readonly certificateDer: Buffer;
  readonly notAfterMs: number;
  /** Asks the sidecar to get another certificate, at a random moment within this many milliseconds. */
  readonly renew: (withinMs: number) => void;
}

/** Called with the number of a stream that was added or removed. */
type Listener = (stream: number) => void;

/** Renewals are spread at this pace per sidecar, so that neither the API server nor the signer is overloaded. */
const renewalPaceMs = 20;
const shortestSpreadMs = 2_000;

interface Kept {
  readonly certificate: SidecarCertificate;
  readonly renew: (withinMs: number) => void;
}

export class SidecarCertificates {
  readonly #streams = new Map<number, Kept>();
  readonly #listeners = new Set<Listener>();
  readonly #signerKeyId: () => string;
  #lastStream = 0;

  /** `signerKeyId` returns the id of the key that signs now; empty: the key has none. */
  constructor(signerKeyId: () => string) {
    this.#signerKeyId = signerKeyId;
  }

  /** Returns a function to call at the end of the stream. */
  add({ certificateDer, renew, ...reported }: ConnectedSidecar): () => void {
    const stream = ++this.#lastStream;
    const signerKeyId = authorityKeyIdOf(certificateDer)?.toString("hex") ?? "";
    const kept = { certificate: { ...reported, signerKeyId }, renew };
    this.#streams.set(stream, kept);
    this.#notify(stream);
    this.#askToRenew([kept]);
    return () => {
      if (this.#streams.delete(stream)) this.#notify(stream);
    };
  }

  /** By stream number. */
  get all(): ReadonlyMap<number, SidecarCertificate> {
    return new Map(Array.from(this.#streams, ([stream, { certificate }]) => [stream, certificate]));
  }

  get(stream: number): SidecarCertificate | undefined {
    return this.#streams.get(stream)?.certificate;
  }

  /** Watches until the returned function is called. */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Another key signs now: asks every sidecar whose certificate was signed by a different key to renew it. */
  renewForeign(): void {
    this.#askToRenew([...this.#streams.values()]);
  }

  #askToRenew(streams: readonly Kept[]): void {
    const keyId = this.#signerKeyId();
    if (keyId === "") return;
    const withinMs = Math.max(this.#streams.size * renewalPaceMs, shortestSpreadMs);
    for (const { certificate, renew } of streams) if (certificate.signerKeyId !== keyId) renew(withinMs);
  }

  #notify(stream: number): void {
    for (const listener of this.#listeners) listener(stream);
  }
}
