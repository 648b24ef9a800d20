/** The certificates and roots of a replica and its sidecars, sent between replicas. Pure. */

import type {
  CertificateTable__Output,
  CertificateTable as CertificateTableMessage,
} from "../../proto/generated/tulle/v1/CertificateTable.ts";
import type {
  SidecarCertificate__Output,
  SidecarCertificate as SidecarCertificateMessage,
} from "../../proto/generated/tulle/v1/SidecarCertificate.ts";
import type { ReplicaCertificates, SidecarCertificate } from "../identity/census.ts";

/** A replica's own certificates, without those of its sidecars. */
export type ReplicaHoldings = Omit<ReplicaCertificates, "replica" | "sidecars">;

/** Nobody reads more names than this, and messages must stay small. */
const maxNamed = 10;

export function encodeHoldings({ trustedRoots, signerKeyId, unwritten }: ReplicaHoldings): CertificateTableMessage {
  return { trustedRoots: [...trustedRoots], signerKeyId, unwritten: unwritten.slice(0, maxNamed) };
}

export function encodeSidecar(stream: number, sidecar: SidecarCertificate): SidecarCertificateMessage {
  const { namespace, workload, pod, identity, notAfterMs, signerKeyId, trustedRoots } = sidecar;
  const expiryUnixSeconds = Math.floor(notAfterMs / 1_000);
  return {
    stream,
    namespace,
    workload,
    pod,
    identity,
    expiryUnixSeconds,
    signerKeyId,
    trustedRoots: [...trustedRoots],
  };
}

/** What another replica has reported so far. */
export class CertificateTable {
  readonly #sidecars = new Map<number, SidecarCertificate>();
  #holdings: ReplicaHoldings | undefined;

  take({ trustedRoots, signerKeyId, unwritten, joined, left }: CertificateTable__Output): void {
    this.#holdings = { trustedRoots, signerKeyId, unwritten };
    for (const stream of left) this.#sidecars.delete(stream);
    for (const sidecar of joined) this.#sidecars.set(sidecar.stream, decodeSidecar(sidecar));
  }

  clear(): void {
    this.#sidecars.clear();
    this.#holdings = undefined;
  }

  /** Undefined: it has not reported yet. */
  read(replica: string): ReplicaCertificates | undefined {
    return this.#holdings && { replica, ...this.#holdings, sidecars: [...this.#sidecars.values()] };
  }
}

function decodeSidecar({ expiryUnixSeconds, ...sidecar }: SidecarCertificate__Output): SidecarCertificate {
  const { namespace, workload, pod, identity, signerKeyId, trustedRoots } = sidecar;
  return { namespace, workload, pod, identity, signerKeyId, trustedRoots, notAfterMs: expiryUnixSeconds * 1_000 };
}
