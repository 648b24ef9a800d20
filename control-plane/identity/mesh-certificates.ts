/**
 * The certificates of the whole mesh as one replica sees them, and the replacement of their root. Only puts the parts
 * together.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../model/clock.ts";
import type { Log } from "../../system/log.ts";
import type { Home } from "../home/home.ts";
import type { CertificateAuthority } from "./authority.ts";
import type { Census, ReplicaCertificates } from "./census.ts";
import { rootId } from "./certificate-fields.ts";
import { type CertificatesView, certificatesView } from "./certificates-view.ts";
import { isSameIssuer, makeRoot } from "./issuer.ts";
import { RootRotation } from "./root-rotation.ts";
import type { KeptSigner } from "./rotation.ts";
import { SidecarCertificates } from "./sidecar-certificates.ts";

export interface MeshCertificatesOptions {
  readonly home: Pick<Home, "signer" | "signerStore" | "place" | "unwritten">;
  readonly authority: CertificateAuthority;
  /** Names this process among all replicas. */
  readonly replica: string;
  readonly others: { certificates(): Census };
  readonly trustDomain: string;
  readonly rotationPauseMs: number;
  readonly clock: Clock;
  readonly wallClock: () => number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** This replica's part in what one replica does for all, and what it still has to write for it. */
export interface ClusterPart {
  readonly leads: boolean;
  readonly unwritten: readonly string[];
}

const stepEveryMs = 500;
/** In a folder nobody else takes part, and each step is one change of a file name. */
const alone: ClusterPart = { leads: true, unwritten: [] };

export class MeshCertificates {
  readonly sidecars: SidecarCertificates;
  readonly #options: MeshCertificatesOptions;
  readonly #rotation: RootRotation;
  #part: ClusterPart = { leads: false, unwritten: [] };

  constructor(options: MeshCertificatesOptions) {
    const { home, authority, trustDomain, rotationPauseMs, clock, wallClock, log, signal } = options;
    this.#options = options;
    this.sidecars = new SidecarCertificates(() => authority.issuer.signer.keyId?.toString("hex") ?? "");
    authority.onReplaced(() => this.sidecars.renewForeign(), signal);
    this.#rotation = new RootRotation(home.signer, {
      store: home.signerStore,
      census: () => this.census(),
      leads: () => this.#part.leads,
      settleMs: rotationPauseMs,
      clock,
      makeRoot: () => makeRoot(trustDomain, wallClock()),
      log,
    });
  }

  /** From now on, takes the steps of a rotation while this replica leads. */
  start(part: ClusterPart = alone): void {
    this.#part = part;
    void this.#run();
  }

  /** Takes over a change of the stored signer. */
  take(kept: KeptSigner): void {
    const { authority, log } = this.#options;
    const before = authority.issuer;
    this.#rotation.take(kept);
    if (isSameIssuer(before, kept.issuer)) return;
    authority.replace(kept.issuer);
    const phase = kept.rotation.kind;
    log("info", "signer replaced", { phase, notAfter: new Date(authority.notAfterMs).toISOString() });
  }

  /** The roots that this replica trusts and the key it signs with. */
  readonly holdings = (): Omit<ReplicaCertificates, "replica" | "sidecars"> => {
    const { signer, trusted } = this.#options.authority.issuer;
    return {
      trustedRoots: trusted.map(rootId),
      signerKeyId: signer.keyId?.toString("hex") ?? "",
      unwritten: [...this.#options.home.unwritten(), ...this.#part.unwritten],
    };
  };

  census(): Census {
    const { replica, others } = this.#options;
    const { replicas, unheard } = others.certificates();
    const own = { replica, ...this.holdings(), sidecars: [...this.sidecars.all.values()] };
    return { replicas: [own, ...replicas], unheard };
  }

  view(): CertificatesView {
    const { trustDomain, home } = this.#options;
    return certificatesView(trustDomain, home.place, this.#rotation, this.census());
  }

  get phase(): KeptSigner["rotation"]["kind"] {
    return this.#rotation.kept.rotation.kind;
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await this.#rotation.step();
      await sleep(stepEveryMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }
}
