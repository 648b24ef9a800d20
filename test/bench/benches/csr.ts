/**
 * `csr`: how many certificates per second the control plane signs on one core: requests checked, certificates built and signed.
 * It measures the signer alone, and the whole process over open connections, with a token to check for each.
 */

import { generateKeyPairSync } from "node:crypto";
import { CertificateAuthority } from "../../../control-plane/identity/authority.ts";
import { makeRoot, readIssuer } from "../../../control-plane/identity/issuer.ts";
import { buildCertificateRequest } from "../../../sidecar/identity/certificate-request.ts";
import { cpuNs } from "../accounting.ts";
import { Processes } from "../processes.ts";
import type { Column, Metrics } from "../report.ts";
import { WarmIdentity } from "../warm-identity.ts";
import { type Bench, interleave } from "./bench.ts";

const columns: readonly Column[] = [
  { metric: "certificates_per_second", says: "one after the other" },
  { metric: "per_cpu_second", says: "for each second of CPU of the control plane" },
];

const spiffeId = "spiffe://cluster.local/ns/shop/sa/web";
const requests = 50;
const warmUpSeconds = 2;

export const csr: Bench = {
  name: "csr",
  says: "certificates per second, the signer alone and over warm connections; no peers",
  defaults: { rounds: 5, seconds: 2 },
  async run(ground, options) {
    const ders = Array.from({ length: requests }, () =>
      buildCertificateRequest(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    );
    await using processes = new Processes();
    const identity = await WarmIdentity.start(ground, processes);
    await identity.load(warmUpSeconds, ders);
    const authority = makeAuthority();
    const ways = [
      { name: "signer", measure: async () => sign(authority, ders, options.seconds) },
      { name: "connections", measure: () => issue(identity, ders, options.seconds) },
    ].filter(({ name }) => options.wants(name));
    const rows = await interleave(ways, options, (way) => way.measure());
    identity.close();
    return { bench: "csr", ours: () => undefined, columns, rows, notes: [] };
  },
};

function makeAuthority(): CertificateAuthority {
  const issuer = readIssuer(makeRoot("cluster.local", Date.now()), "bench");
  return new CertificateAuthority(issuer, { leafLifetimeMs: 24 * 3_600_000, wallClock: Date.now });
}

function sign(authority: CertificateAuthority, ders: readonly Buffer[], seconds: number): Metrics {
  const startMs = performance.now();
  const before = process.cpuUsage();
  let issued = 0;
  while (performance.now() - startMs < seconds * 1_000) {
    const result = authority.issue(ders[issued++ % requests] as Buffer, spiffeId);
    if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`);
  }
  const { user, system } = process.cpuUsage(before);
  return {
    certificates_per_second: issued / ((performance.now() - startMs) / 1_000),
    per_cpu_second: issued / ((user + system) / 1e6),
  };
}

async function issue(identity: WarmIdentity, ders: readonly Buffer[], seconds: number): Promise<Metrics> {
  const startMs = performance.now();
  const beforeNs = cpuNs([identity.pid]);
  const issued = await identity.load(seconds, ders);
  return {
    certificates_per_second: issued / ((performance.now() - startMs) / 1_000),
    per_cpu_second: issued / ((cpuNs([identity.pid]) - beforeNs) / 1e9),
  };
}
