/**
 * Who meets the requirements of the mesh's signer: trusts its roots, and has a certificate signed by its key. Replicas and
 * sidecars count alike; the consequences are `root-rotation.ts`' business. Pure.
 */

import { rootId } from "./certificate-fields.ts";
import type { Issuer } from "./issuer.ts";

/** One stream of a sidecar. */
export interface SidecarCertificate {
  readonly namespace: string;
  readonly workload: string;
  readonly pod: string;
  /** As its client certificate says, like the two below. */
  readonly identity: string;
  /** Since 1970. */
  readonly notAfterMs: number;
  /** Of the key that signed it, in hexadecimal; empty: it does not say. */
  readonly signerKeyId: string;
  /** Their ids, as it says itself; empty: it does not. */
  readonly trustedRoots: readonly string[];
}

/** One replica of the control plane, with the sidecars that are connected to it. */
export interface ReplicaCertificates {
  readonly replica: string;
  readonly trustedRoots: readonly string[];
  readonly signerKeyId: string;
  /** Where the roots are still to be written, as far as it knows: namespaces, webhooks. */
  readonly unwritten: readonly string[];
  readonly sidecars: readonly SidecarCertificate[];
}

export interface Census {
  readonly replicas: readonly ReplicaCertificates[];
  /** Replicas that are there and have not said what they have, by address; or why it is not known which there are. */
  readonly unheard: readonly string[];
}

export interface Lack {
  /** `replica …`, `shop/orders-1`, `namespace shop`. */
  readonly who: string;
  readonly why: string;
}

/** All that is missing until everyone has what the signer asks for; replicas first. */
export function lacksOf(issuer: Issuer, { replicas, unheard }: Census): Lack[] {
  const lacks: Lack[] = unheard.map((who) => ({ who: `replica ${who}`, why: "has not said what it has" }));
  for (const { replica, unwritten, ...held } of replicas) {
    const why = lackOf(issuer, held);
    if (why !== undefined) lacks.push({ who: `replica ${replica}`, why });
    for (const who of unwritten) lacks.push({ who, why: `has not got the roots of replica ${replica} yet` });
  }
  for (const sidecar of replicas.flatMap(({ sidecars }) => sidecars)) {
    const why = lackOf(issuer, sidecar);
    if (why !== undefined) lacks.push({ who: `${sidecar.namespace}/${sidecar.pod}`, why });
  }
  return lacks;
}

/** In plain words; undefined: it has what it needs. */
export function lackOf(
  { trusted, signer: { keyId } }: Issuer,
  { trustedRoots, signerKeyId }: Pick<SidecarCertificate, "trustedRoots" | "signerKeyId">,
): string | undefined {
  if (trustedRoots.length === 0) return "does not say which roots it trusts";
  const missing = trusted.map(rootId).find((id) => !trustedRoots.includes(id));
  if (missing !== undefined) return `does not trust root ${shortId(missing)} yet`;
  if (keyId !== undefined && signerKeyId !== keyId.toString("hex"))
    return "goes by another key than the one that signs now";
  return undefined;
}

/** Enough of a root's id to tell it from others. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}
