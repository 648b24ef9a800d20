/** A real certificate authority and its gRPC service on its own port, in a folder that is removed with the test. */

import { createHash, createPublicKey, generateKeyPairSync, randomUUID, X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StreamServer } from "../../control-plane/grpc/stream-server.ts";
import { CertificateAuthority } from "../../control-plane/identity/authority.ts";
import {
  type IdentityServiceOptions,
  identityService,
  issueMethod,
  maxRequestBytes,
} from "../../control-plane/identity/identity-service.ts";
import {
  controlPlaneIdentity,
  issueOwnCertificate,
  keepOwnCertificateFresh,
} from "../../control-plane/identity/own-certificate.ts";
import { folderReviewLimits, ReviewQueue } from "../../control-plane/identity/review-queue.ts";
import { openRoot } from "../../control-plane/identity/root.ts";
import { FolderTokens } from "../../control-plane/identity/tokens.ts";
import {
  type Credentials,
  readCredentials,
  type Identity as WorkloadIdentity,
} from "../../sidecar/identity/credentials.ts";
import { RecordedLog } from "./recorded-log.ts";

export const trustDomain = "cluster.local";

export class TestAuthority implements AsyncDisposable {
  readonly folder: string;
  readonly authority: CertificateAuthority;
  readonly trustBundleFile: string;
  readonly log = new RecordedLog();
  readonly outcomes: string[] = [];
  #port = 0;
  #close: () => Promise<void> = () => Promise.resolve();

  private constructor(folder: string, authority: CertificateAuthority) {
    this.folder = folder;
    this.authority = authority;
    this.trustBundleFile = join(folder, "trust-bundle.pem");
  }

  static async open(options: { leafLifetimeMs?: number; folder?: string } = {}): Promise<TestAuthority> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "tulle-ca-")));
    const { issuer: root } = await openRoot(join(folder, "ca"), trustDomain, Date.now());
    const { leafLifetimeMs = 24 * 3_600_000 } = options;
    const test = new TestAuthority(folder, new CertificateAuthority(root, { leafLifetimeMs, wallClock: Date.now }));
    await mkdir(join(folder, "tokens"), { recursive: true });
    await writeFile(test.trustBundleFile, test.authority.trustBundlePem);
    return test;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async serve(options: Partial<IdentityServiceOptions> & { port?: number } = {}): Promise<void> {
    const { port = this.#port, ...changes } = options;
    const service = identityService({
      authority: this.authority,
      tokens: new FolderTokens(join(this.folder, "tokens"), Date.now),
      reviews: new ReviewQueue(folderReviewLimits, performance),
      trustDomain,
      checkCallerAddress: false,
      wallClock: Date.now,
      log: this.log.write,
      count: (outcome) => this.outcomes.push(outcome),
      ...changes,
    });
    const certificate = issueOwnCertificate(this.authority, trustDomain);
    const server = new StreamServer({
      methods: new Map([[issueMethod, service]]),
      certificate,
      clients: "anonymous",
      maxMessageBytes: maxRequestBytes,
      maxCallsPerConnection: 100,
      clock: performance,
    });
    const stop = new AbortController();
    keepOwnCertificateFresh(this.authority, trustDomain, Date.now, certificate, stop.signal, (next) =>
      server.rotate(next),
    );
    this.#port = await server.listen("127.0.0.1", port);
    this.#close = () => {
      stop.abort();
      return server.close(0);
    };
  }

  async stop(): Promise<void> {
    await this.#close();
    this.#close = () => Promise.resolve();
  }

  /** A token for this pod, and its description, with `changes` to its fields. */
  async token(serviceAccount: string, changes: Record<string, unknown> = {}): Promise<string> {
    const token = randomUUID();
    const kept = { namespace: "shop", serviceAccount, pod: `${serviceAccount}-1`, audience: "tulle", ...changes };
    const name = createHash("sha256").update(token).digest("hex");
    await writeFile(join(this.folder, "tokens", `${name}.json`), JSON.stringify(kept), { mode: 0o600 });
    return token;
  }

  credentials(identity: string): Credentials {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const publicKeyDer = createPublicKey(privateKey).export({ type: "spki", format: "der" });
    const { certificateDer } = this.authority.certify(publicKeyDer, identity);
    const read = readCredentials({
      certificateChainPem: new X509Certificate(certificateDer).toString(),
      privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      trustBundlePem: this.authority.trustBundlePem,
    });
    if (!read.ok) throw new Error(read.error);
    return read.value.credentials;
  }

  get serverCertificate() {
    return issueOwnCertificate(this.authority, trustDomain);
  }

  get controlPlaneIdentity(): string {
    return controlPlaneIdentity(trustDomain);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function workloadId(serviceAccount: string, namespace = "shop"): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** An identity that a test rotates by hand. */
export class HandIdentity implements WorkloadIdentity {
  readonly spiffeId: string;
  #credentials: Credentials;
  readonly #listeners = new Set<(credentials: Credentials) => void>();

  constructor(spiffeId: string, credentials: Credentials) {
    this.spiffeId = spiffeId;
    this.#credentials = credentials;
  }

  current(): Credentials {
    return this.#credentials;
  }

  onChange(listener: (credentials: Credentials) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  rotate(credentials: Credentials): void {
    this.#credentials = credentials;
    for (const listener of this.#listeners) listener(credentials);
  }
}
