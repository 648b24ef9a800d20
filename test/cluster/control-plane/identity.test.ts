/** Identity on a cluster: whose token opens what, where the signer is, and how the roots get to where they are needed. */

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { readPeerIdentity } from "../../../model/peer-identity.ts";
import { buildCertificateRequest } from "../../../sidecar/identity/certificate-request.ts";
import { altNames, caConstraints, commonName, makeCertificate, tlv, uri } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import { expectDone, nested, TestNamespace } from "./objects.ts";
import { askForCertificate, requestToken, resign } from "./workload.ts";

const caPath = "/api/v1/namespaces/tulle-system/secrets/tulle-ca";

let api: ClusterApi;
let first: ControlPlaneProcess;
let second: ControlPlaneProcess;
let shop: TestNamespace;

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  await api.request({ method: "DELETE", path: caPath });
  first = new ControlPlaneProcess(inject("kubeconfig"));
  second = new ControlPlaneProcess(inject("kubeconfig"), "--check-caller-address");
  shop = await TestNamespace.create(api, "shop", { "tulle.dev/inject": "enabled" });
  await shop.serviceAccount("orders");
  await shop.pod("orders-1", "orders", { ip: "127.0.0.1" });
  await shop.pod("orders-2", "orders", { ip: "10.9.9.9" });
  await shop.pod("orders-3", "orders");
  await eventually(() => first.ports !== undefined && second.ports !== undefined, 60_000);
});
afterAll(async () => {
  await Promise.all([first.stop(), second.stop()]);
  api.close();
});

async function bundleIn(namespace: string): Promise<string | undefined> {
  const { body } = await api.request({ path: `/api/v1/namespaces/${namespace}/configmaps/tulle-trust-bundle` });
  const text = nested(body, "data", "trust-bundle.pem");
  return typeof text === "string" ? text : undefined;
}

async function ask(
  token: string,
  { from = first, requestDer }: { from?: ControlPlaneProcess; requestDer?: Buffer } = {},
) {
  const trustBundlePem = (await bundleIn(shop.name)) ?? "";
  const identityPort = from.ports?.identity ?? 0;
  return askForCertificate({ identityPort, trustBundlePem, token, ...(requestDer && { requestDer }) });
}

/** The last line of the log about one. */
const refusal = () => first.said("certificate refused").at(-1);

const tokenOf = (pod: string, audience = "tulle") =>
  requestToken(api, { namespace: shop, serviceAccount: "orders", pod, audience });

describe("the trust bundle", () => {
  it("is in every namespace of the mesh, and in no other", async () => {
    const plain = await TestNamespace.create(api, "plain");
    const byPods = await TestNamespace.create(api, "by-pods");
    await byPods.pod("one", "one");
    await expect.poll(() => bundleIn(shop.name)).toContain("BEGIN CERTIFICATE");
    await expect.poll(() => bundleIn(byPods.name)).toBe(await bundleIn(shop.name));
    expect(await bundleIn(plain.name)).toBeUndefined();
  });

  it("comes back when it is changed or deleted", async () => {
    const right = await bundleIn(shop.name);
    await shop.patch("v1", "configmaps/tulle-trust-bundle", { data: { "trust-bundle.pem": "mine" } });
    await expect.poll(() => bundleIn(shop.name)).toBe(right);
    await shop.delete("v1", "configmaps/tulle-trust-bundle");
    await expect.poll(() => bundleIn(shop.name)).toBe(right);
  });

  it("goes when a namespace leaves the mesh, and does not hinder that it ends", async () => {
    const leaving = await TestNamespace.create(api, "leaving", { "tulle.dev/inject": "enabled" });
    await expect.poll(() => bundleIn(leaving.name)).toContain("BEGIN CERTIFICATE");
    const path = `/api/v1/namespaces/${leaving.name}`;
    const labels = { "tulle.dev/inject": null };
    const contentType = "application/merge-patch+json";
    expectDone(await api.request({ method: "PATCH", path, contentType, body: { metadata: { labels } } }));
    await expect.poll(() => bundleIn(leaving.name)).toBeUndefined();
    await leaving.remove();
    await expect.poll(async () => (await api.request({ path })).status, { timeout: 30_000 }).toBe(404);
  });
});

describe("a token", () => {
  it("of a pod that is there gets a certificate under its service account's name, and again after a restart", async () => {
    const token = await tokenOf("orders-1");
    const { certificateChainDer } = await ask(token);
    const [leaf = Buffer.alloc(0)] = certificateChainDer;
    const identity = `spiffe://cluster.local/ns/${shop.name}/sa/orders`;
    expect(readPeerIdentity(leaf)).toEqual({ ok: true, value: identity });
    const serial = new X509Certificate(leaf).serialNumber;
    const [line] = first.said("certificate issued").filter((entry) => entry["serial"] === serial);
    expect(line).toMatchObject({ identity, pod: "orders-1", caller: "127.0.0.1" });
    expect((await ask(token)).certificateChainDer).toHaveLength(1);
  });

  it("is as good with any replica: they have one signer", async () => {
    const { certificateChainDer } = await ask(await tokenOf("orders-1"), { from: second });
    const root = new X509Certificate((await bundleIn(shop.name)) ?? "");
    expect(new X509Certificate(certificateChainDer[0] ?? Buffer.alloc(0)).verify(root.publicKey)).toBe(true);
  });

  it("never gets into the log, nor does the key", () => {
    const text = JSON.stringify([...first.lines, ...second.lines]);
    expect(text).not.toContain("eyJ");
    expect(text).not.toContain("PRIVATE KEY");
  });

  it("for another audience is refused", async () => {
    await expect(ask(await tokenOf("orders-1", "https://kubernetes.default.svc"))).rejects.toThrow("another audience");
    await expect.poll(refusal).toMatchObject({ reason: "token_audience" });
  });

  it("that is forged is refused", async () => {
    const [head, body, signature = ""] = (await tokenOf("orders-1")).split(".");
    const forged = `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    await expect(ask(forged)).rejects.toThrow("not known");
    await expect(ask("not even a token")).rejects.toThrow("not known");
    await expect.poll(refusal).toMatchObject({ reason: "token_unknown" });
  });

  it.skipIf(inject("tokenKeyFile") === "")("that has expired is refused", async () => {
    const past = Math.floor(Date.now() / 1000) - 3_600;
    const expired = await resign(await tokenOf("orders-1"), inject("tokenKeyFile"), {
      iat: past - 600,
      nbf: past - 600,
      exp: past,
    });
    await expect(ask(expired)).rejects.toThrow("expired");
    await expect.poll(refusal).toMatchObject({ reason: "token_expired", caller: "127.0.0.1" });
  });

  it("that is bound to no pod is refused", async () => {
    const token = await requestToken(api, { namespace: shop, serviceAccount: "orders" });
    await expect(ask(token)).rejects.toThrow("pod is gone");
    await expect.poll(refusal).toMatchObject({ reason: "token_pod" });
  });

  it("of a pod that is gone is refused, also when another has its name", async () => {
    await shop.pod("short-lived", "orders");
    const token = await tokenOf("short-lived");
    await ask(token);
    await shop.delete("v1", "pods/short-lived");
    // The API server remembers for a few seconds whom it has let in.
    await expect.poll(() => ask(token).then(() => "issued", String), { timeout: 30_000 }).toContain("UNAUTHENTICATED");
    await shop.pod("short-lived", "orders");
    await expect(ask(token)).rejects.toThrow("UNAUTHENTICATED");
    await expect.poll(() => refusal()?.["reason"]).toMatch(/^token_(pod|unknown)$/);
  });

  it("from another address than its pod's is refused where that is checked", async () => {
    const token = await tokenOf("orders-2");
    await expect(ask(token, { from: second })).rejects.toThrow("another address");
    await expect
      .poll(() => second.said("certificate refused").at(-1))
      .toMatchObject({ reason: "caller_address", caller: "127.0.0.1" });
    expect((await ask(token)).certificateChainDer).toHaveLength(1);
    expect((await ask(await tokenOf("orders-1"), { from: second })).certificateChainDer).toHaveLength(1);
    // A pod of two families may call from either.
    const podIPs = [{ ip: "fd00::9" }, { ip: "127.0.0.1" }];
    await shop.patch("v1", "pods/orders-3/status", { status: { phase: "Running", podIP: "fd00::9", podIPs } });
    expect((await ask(await tokenOf("orders-3"), { from: second })).certificateChainDer).toHaveLength(1);
  });
});

describe("a certificate request", () => {
  it("that asks for another identity is refused", async () => {
    const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const asked = tlv(
      0x30,
      tlv(0x06, Buffer.from("2a864886f70d01090e", "hex")),
      tlv(0x31, tlv(0x30, altNames(uri("spiffe://cluster.local/ns/shop/sa/payments")))),
    );
    const body = tlv(
      0x30,
      Buffer.of(2, 1, 0),
      tlv(0x30),
      key.publicKey.export({ type: "spki", format: "der" }),
      tlv(0xa0, asked),
    );
    const unsigned = tlv(0x30, body, Buffer.from("300a06082a8648ce3d040302", "hex"), tlv(0x03, Buffer.of(0)));
    await expect(ask(await tokenOf("orders-1"), { requestDer: unsigned })).rejects.toThrow("names come from the token");
    await expect.poll(refusal).toMatchObject({ reason: "csr_names", pod: "orders-1" });
  });

  it("with a weak key is refused", async () => {
    const requestDer = buildCertificateRequest(generateKeyPairSync("ec", { namedCurve: "P-224" }).privateKey);
    await expect(ask(await tokenOf("orders-1"), { requestDer })).rejects.toThrow("not P-256");
    await expect.poll(refusal).toMatchObject({ reason: "csr_key", pod: "orders-1" });
  });
});

describe("the signer", () => {
  it("may be an intermediate, as cert-manager writes it: it is taken over at once, and leaves travel with it", async () => {
    const token = await tokenOf("orders-1");
    const root = makeCertificate({ extensions: [caConstraints], subject: commonName("Company root") });
    const between = makeCertificate({ extensions: [caConstraints], subject: commonName("Mesh"), issuer: root });
    const stringData = { "tls.key": between.keyPem, "tls.crt": between.pem, "ca.crt": root.pem };
    const contentType = "application/merge-patch+json";
    expectDone(await api.request({ method: "PATCH", path: caPath, contentType, body: { stringData } }));
    await expect.poll(() => bundleIn(shop.name)).toBe(root.pem);
    await expect.poll(() => first.said("signer replaced")).toHaveLength(1);
    const { certificateChainDer, trustBundleDer } = await ask(token);
    expect(certificateChainDer.slice(1)).toEqual([between.der]);
    expect(trustBundleDer).toEqual([root.der]);
  });

  it("stays what it is when its Secret can't sign, or is gone", async () => {
    const contentType = "application/merge-patch+json";
    const stringData = { "tls.key": "not a key" };
    expectDone(await api.request({ method: "PATCH", path: caPath, contentType, body: { stringData } }));
    const refused = "signer not taken over, the former one stays";
    await expect.poll(() => first.said(refused)).not.toEqual([]);
    expect((await ask(await tokenOf("orders-1"))).certificateChainDer).toHaveLength(2);
    expectDone(await api.request({ method: "DELETE", path: caPath }));
    await expect.poll(() => first.said("signer's Secret is gone, what was in it stays in use")).not.toEqual([]);
    expect((await ask(await tokenOf("orders-1"))).certificateChainDer).toHaveLength(2);
  });
});
