/** Roots, certificates and the rotation for people: `/api/certs`, `tulle certs`. Plain data, built for each request. */

import type { X509Certificate } from "node:crypto";
import type { HomePlace } from "../home/home.ts";
import { type Census, type Lack, lackOf } from "./census.ts";
import { rootId } from "./certificate-fields.ts";
import type { RootRotation } from "./root-rotation.ts";
import { type KeptSigner, whyNotRotatable } from "./rotation.ts";

export interface CertificatesView {
  readonly trustDomain: string;
  /** Where the signer is kept and a rotation can be requested. */
  readonly place: HomePlace;
  readonly signer: RootView;
  /** Every root that workloads should trust. */
  readonly roots: readonly (RootView & { readonly role: RootRole })[];
  readonly rotation: {
    readonly phase: KeptSigner["rotation"]["kind"];
    /** A rotation is requested and has not begun. */
    readonly asked: boolean;
    /** Why it can't begin; absent: it could begin now. */
    readonly whyNot?: string;
    /** What is missing until everyone has what the phase requires. */
    readonly lacks: readonly Lack[];
  };
  readonly replicas: readonly { readonly replica: string; readonly sidecars: number; readonly lacks?: string }[];
  /** All sidecars connected to any replica, sorted by workload and pod. */
  readonly sidecars: readonly SidecarView[];
}

export type RootRole = "signs" | "next" | "former" | "trusted";

export interface RootView {
  /** The SHA-256 of its DER, in hexadecimal. */
  readonly id: string;
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface SidecarView {
  /** `namespace/name`. */
  readonly workload: string;
  readonly pod: string;
  readonly identity: string;
  readonly replica: string;
  readonly notAfterMs: number;
  /** What is missing; absent: nothing. */
  readonly lacks?: string;
}

export function certificatesView(
  trustDomain: string,
  place: HomePlace,
  rotation: RootRotation,
  { replicas }: Census,
): CertificatesView {
  const { kept } = rotation;
  const { issuer } = kept;
  const { phase, asked, lacks } = rotation.progress();
  const whyNot = whyNotRotatable(kept);
  return {
    trustDomain,
    place,
    signer: rootView(issuer.certificate),
    roots: issuer.trusted.map((root) => ({ ...rootView(root), role: roleOf(root, kept) })),
    rotation: { phase, asked, ...(whyNot !== undefined && { whyNot }), lacks },
    replicas: replicas.map(({ replica, sidecars, ...held }) => ({
      replica,
      sidecars: sidecars.length,
      ...lacking(lackOf(issuer, held)),
    })),
    sidecars: replicas
      .flatMap(({ replica, sidecars }) =>
        sidecars.map(({ namespace, workload, pod, identity, notAfterMs, ...held }) => ({
          workload: `${namespace}/${workload}`,
          pod: `${namespace}/${pod}`,
          identity,
          replica,
          notAfterMs,
          ...lacking(lackOf(issuer, held)),
        })),
      )
      .sort((a, b) => (`${a.workload} ${a.pod}` < `${b.workload} ${b.pod}` ? -1 : 1)),
  };
}

function lacking(lacks: string | undefined): { lacks?: string } {
  return lacks === undefined ? {} : { lacks };
}

function roleOf(root: X509Certificate, { issuer, rotation }: KeptSigner): RootRole {
  if (root.raw.equals(issuer.certificate.raw)) return "signs";
  switch (rotation.kind) {
    case "settled":
      return "trusted";
    case "spreading":
      return root.raw.equals(rotation.next.raw) ? "next" : "trusted";
    case "reissuing":
      return root.raw.equals(rotation.former.raw) ? "former" : "trusted";
  }
}

function rootView(certificate: X509Certificate): RootView {
  const { subject, validFrom, validTo } = certificate;
  return {
    id: rootId(certificate),
    subject: subject.replaceAll("\n", ", "),
    notBeforeMs: Date.parse(validFrom),
    notAfterMs: Date.parse(validTo),
  };
}
