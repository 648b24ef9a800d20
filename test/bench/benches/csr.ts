/** `csr`: how many certificates the control plane signs a second, on one core: requests checked, certificates built and signed. */

import { generateKeyPairSync } from "node:crypto";
import { CertificateAuthority } from "../../../control-plane/identity/authority.ts";
import { makeRoot, readIssuer } from "../../../control-plane/identity/issuer.ts";
import { buildCertificateRequest } from "../../../sidecar/identity/certificate-request.ts";
import { ours } from "../chains.ts";
import type { Column } from "../report.ts";
import { type Bench, interleave } from "./bench.ts";

const columns: readonly Column[] = [
  { metric: "certificates_per_second", says: "the signer alone, one after the other" },
];

const spiffeId = "spiffe://cluster.local/ns/shop/sa/web";
const requests = 50;

export const csr: Bench = {
  name: "csr",
  says: "certificates per second, the signer alone; no peers",
  defaults: { rounds: 5, seconds: 2 },
  async run(_ground, options) {
    const issuer = readIssuer(makeRoot("cluster.local", Date.now()), "bench");
    const authority = new CertificateAuthority(issuer, { leafLifetimeMs: 24 * 3_600_000, wallClock: Date.now });
    const ders = Array.from({ length: requests }, () =>
      buildCertificateRequest(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    );
    const measure = () => {
      const startMs = performance.now();
      let issued = 0;
      while (performance.now() - startMs < options.seconds * 1_000) {
        const result = authority.issue(ders[issued++ % requests] as Buffer, spiffeId);
        if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`);
      }
      return Promise.resolve({ certificates_per_second: (issued / (performance.now() - startMs)) * 1_000 });
    };
    const rows = await interleave([{ name: ours() }], options, measure);
    return { bench: "csr", ours, columns, rows, notes: [] };
  },
};
