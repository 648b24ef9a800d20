import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CertificateAuthority } from "../../../control-plane/identity/authority.ts";
import { openRoot } from "../../../control-plane/identity/root.ts";
import { readPeerIdentity } from "../../../model/peer-identity.ts";
import { buildCertificateRequest } from "../../../sidecar/identity/certificate-request.ts";
import { commonName, extension, tlv, uri } from "../../support/certificates.ts";

const orders = "spiffe://cluster.local/ns/shop/sa/orders";
const payments = "spiffe://cluster.local/ns/shop/sa/payments";
const now = Date.UTC(2026, 5, 1, 12);
const day = 24 * 3_600_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tulle-root-"));
});
afterEach(() => rm(folder, { recursive: true }));

const openAuthority = async (nowMs = now, leafLifetimeMs = day) =>
  new CertificateAuthority((await openRoot(folder, "cluster.local", now)).issuer, {
    leafLifetimeMs,
    wallClock: () => nowMs,
  });

const p256 = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

/** A request as a client that is not ours might send it. */
function request(parts: {
  key?: KeyObject;
  signer?: KeyObject;
  subject?: Buffer;
  attributes?: Buffer;
  hash?: string;
  algorithm?: string;
}): Buffer {
  const { key = p256(), signer = key, subject = tlv(0x30), attributes = tlv(0xa0), hash = "sha256" } = parts;
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const body = tlv(0x30, Buffer.of(2, 1, 0), subject, publicKey, attributes);
  const algorithm = Buffer.from(parts.algorithm ?? "300a06082a8648ce3d040302", "hex");
  return tlv(0x30, body, algorithm, tlv(0x03, Buffer.of(0), sign(hash, body, { key: signer, dsaEncoding: "der" })));
}

const askingFor = (...extensions: Buffer[]): Buffer =>
  tlv(0xa0, tlv(0x30, tlv(0x06, Buffer.from("2a864886f70d01090e", "hex")), tlv(0x31, tlv(0x30, ...extensions))));

describe("a leaf", () => {
  it("contains what a workload needs and no more", async () => {
    const authority = await openAuthority();
    const key = p256();
    const issued = authority.issue(buildCertificateRequest(key), orders);
    if (!issued.ok) throw new Error(issued.error);
    const leaf = new X509Certificate(issued.value.certificateDer);
    expect(readPeerIdentity(leaf.raw)).toEqual({ ok: true, value: orders });
    expect(leaf.subjectAltName).toBe(`URI:${orders}`);
    expect(leaf.subject).toBeFalsy();
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(leaf.checkPrivateKey(key)).toBe(true);
    expect(leaf.verify(new X509Certificate(authority.trustBundlePem).publicKey)).toBe(true);
    expect(leaf.checkIssued(new X509Certificate(authority.trustBundlePem))).toBe(true);
    expect(Date.parse(leaf.validFrom)).toBe(now - 5 * 60_000);
    expect(Date.parse(leaf.validTo)).toBe(now + day);
    expect(issued.value.serial).toBe(leaf.serialNumber);
    expect(issued.value.notAfterMs).toBe(now + day);
  });

  it("has a random serial of up to 128 bits", async () => {
    const authority = await openAuthority();
    const serials = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const issued = authority.certify(createPublicKey(p256()).export({ type: "spki", format: "der" }), orders);
      const read = new X509Certificate(issued.certificateDer).serialNumber;
      expect(BigInt(`0x${issued.serial}`)).toBe(BigInt(`0x${read}`));
      expect(BigInt(`0x${read}`)).toBeLessThan(2n ** 128n);
      serials.add(read);
    }
    expect(serials.size).toBe(300);
  });

  it("does not outlive the root", async () => {
    const nineYears = 9 * 365 * day;
    const authority = await openAuthority(now + nineYears, 3 * 365 * day);
    const { certificateDer } = authority.certify(
      createPublicKey(p256()).export({ type: "spki", format: "der" }),
      orders,
    );
    expect(new X509Certificate(certificateDer).validTo).toBe(new X509Certificate(authority.trustBundlePem).validTo);
  });
});

describe("a request is refused", () => {
  const key = p256();
  const flipped = (der: Buffer, at: number): Buffer => {
    const copy = Buffer.from(der);
    copy[copy.length + at] = (copy.at(at) ?? 0) ^ 1;
    return copy;
  };
  const offCurve = () => {
    const der = request({ key });
    const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
    der[der.indexOf(publicKey) + publicKey.length - 1] = (publicKey.at(-1) ?? 0) ^ 1;
    return der;
  };
  const altName = (text: string) => extension("551d11", tlv(0x30, uri(text)));
  const cases: Record<string, [() => Buffer, string]> = {
    "with another identity as its subject": [() => request({ subject: commonName(payments) }), "csr_names"],
    "with another identity as a name": [() => request({ attributes: askingFor(altName(payments)) }), "csr_names"],
    "even with its own identity as a name": [() => request({ attributes: askingFor(altName(orders)) }), "csr_names"],
    "asking to be a CA": [
      () => request({ attributes: askingFor(extension("551d13", tlv(0x30, Buffer.of(1, 1, 0xff)))) }),
      "csr_names",
    ],
    "with a P-384 key": [
      () => request({ key: generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey }),
      "csr_key",
    ],
    "with a secp256k1 key": [
      () => request({ key: generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey }),
      "csr_key",
    ],
    "with an RSA key": [
      () => request({ key: generateKeyPairSync("rsa", { modulusLength: 1_024 }).privateKey }),
      "csr_key",
    ],
    "with a point that is not on the curve": [offCurve, "csr_key"],
    "signed by another key": [() => request({ key, signer: p256() }), "csr_signature"],
    "with a bit of the signature changed": [() => flipped(request({ key }), -1), "csr_signature"],
    "signed over SHA-1": [() => request({ key, hash: "sha1", algorithm: "300906072a8648ce3d0401" }), "csr_signature"],
    "that is empty": [() => Buffer.alloc(0), "csr_malformed"],
    "with bytes after its end": [() => Buffer.concat([request({ key }), Buffer.of(0)]), "csr_malformed"],
    "that is cut short": [() => request({ key }).subarray(0, 100), "csr_malformed"],
    "that is too long": [() => request({ attributes: tlv(0xa0, Buffer.alloc(3_000)) }), "csr_malformed"],
  };
  it.each(Object.entries(cases))("%s", async (_, [der, fault]) => {
    const authority = await openAuthority();
    expect(authority.issue(der(), orders)).toEqual({ ok: false, error: fault });
  });
});

describe("the root", () => {
  it("is a CA for leaves only, and made once", async () => {
    const { issuer: first } = await openRoot(folder, "cluster.local", now);
    const { issuer: second } = await openRoot(folder, "cluster.local", now + day);
    expect(second.certificate.raw).toEqual(first.certificate.raw);
    expect(first.certificate.ca).toBe(true);
    expect(first.certificate.verify(first.certificate.publicKey)).toBe(true);
    expect(second.signer.nameDer).toEqual(first.signer.nameDer);
  });

  it("is the same for all processes that start at once", async () => {
    const roots = await Promise.all([1, 2, 3, 4].map(() => openRoot(folder, "cluster.local", now)));
    expect(new Set(roots.map(({ issuer }) => issuer.certificate.serialNumber)).size).toBe(1);
  });

  it("is in a file that only its owner can read", async () => {
    await openRoot(folder, "cluster.local", now);
    expect((await stat(join(folder, "root.pem"))).mode & 0o777).toBe(0o600);
  });

  it("is not used once others could read it", async () => {
    await openRoot(folder, "cluster.local", now);
    await chmod(join(folder, "root.pem"), 0o640);
    await expect(openRoot(folder, "cluster.local", now)).rejects.toThrow("others than its owner may read it");
  });

  it("is not replaced if its file is damaged", async () => {
    await openRoot(folder, "cluster.local", now);
    const path = join(folder, "root.pem");
    const half = (await readFile(path, "utf8")).slice(0, 300);
    await writeFile(path, half);
    await expect(openRoot(folder, "cluster.local", now)).rejects.toThrow(
      "must hold one private key and one certificate",
    );
    expect(await readFile(path, "utf8")).toBe(half);
  });
});
