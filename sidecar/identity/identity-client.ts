/**
 * Keeps the workload's certificate: requests the first one, renews it in time, and continues with the current one meanwhile.
 *
 * ```
 *   start ──▶ kept in the state folder and still valid? ──yes──▶ serving ◀──────────┐
 *                     │ no                                          │ 70 % ± 5 % of │ issued
 *                     └────────────────▶ asking ◀───────────────────┘ life, or told │
 *                                        │  ▲ refused, unreachable: after a backoff │
 *                                        └──┴───────────────────────────────────────┘
 * ```
 *
 * A key is created here for each certificate, and leaves the process only for the state folder. The trust bundle is read from
 * its file, again whenever that changes; if there is none, the control plane's answer is used.
 */

import { generateKeyPair, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { backoffDelayMs } from "../../model/backoff.ts";
import type { Clock, Random } from "../../model/clock.ts";
import { isErrorCode, writeDurably } from "../../system/durable-file.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import type { TimerWheel } from "../net/timer-wheel.ts";
import { buildCertificateRequest } from "./certificate-request.ts";
import {
  type CredentialPems,
  type Credentials,
  type Identity,
  isCertificates,
  readCredentials,
} from "./credentials.ts";
import { issueCertificate } from "./issue.ts";

export interface IdentityOptions {
  /** The SPIFFE id that this workload should have; a certificate with another one is an error. */
  readonly spiffeId: string;
  /** `host:port` of the Identity service; several are tried in turn. */
  readonly addresses: readonly string[];
  readonly controlPlaneIdentity: string;
  /** Read again for each request, because it is replaced before it expires. */
  readonly tokenFile: string;
  readonly trustBundleFile: string;
  /** Where key, chain and bundle survive a restart, readable by the owner only. Absent: nowhere. */
  readonly stateFolder?: string;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly random: Random;
  readonly log: Log;
  /** How often the trust bundle's file is checked. Default 2 s. */
  readonly trustBundleCheckMs?: number;
  /** The delay between failed requests. Default 500 ms, doubled each time up to 30 s, ± 50 %. */
  readonly retry?: { readonly initialDelayMs: number; readonly maxDelayMs: number };
}

const renewAt = 0.7;
const renewSpread = 0.05;
/** Applies whatever an answer says: it must not make this sidecar send requests without end. */
const shortestRenewalMs = 1_000;
const longestTimerMs = 60 * 60 * 1000;
const defaultRetry = { initialDelayMs: 500, maxDelayMs: 30_000 };
const fileName = "credentials.json";
const makeKey = promisify(generateKeyPair);

export interface RenewableIdentity extends Identity {
  /** Requests another certificate at a random moment within this many milliseconds, unless one is due sooner. */
  renew(withinMs: number): void;
}

/** Resolves once there is a valid certificate; rejects only if `signal` aborts. It keeps running until then. */
export async function startIdentity(options: IdentityOptions, signal: AbortSignal): Promise<RenewableIdentity> {
  const client = new IdentityClient(options);
  await client.start(signal);
  return client;
}

class IdentityClient implements RenewableIdentity {
  readonly spiffeId: string;
  readonly #options: IdentityOptions;
  readonly #listeners = new Set<(credentials: Credentials) => void>();
  #credentials: Credentials | undefined;
  #trustBundlePem = "";
  #trustBundleFrom: "nowhere" | "kept" | "file" = "nowhere";
  #renewAtMs = 0;
  /** Aborted to end the wait for `#renewAtMs`, because that has changed. */
  #wake = new AbortController();
  #keeping: Promise<void> = Promise.resolve();

  constructor(options: IdentityOptions) {
    this.#options = options;
    this.spiffeId = options.spiffeId;
  }

  current(): Credentials {
    if (this.#credentials === undefined) throw new Error("no certificate yet: start has not resolved");
    return this.#credentials;
  }

  onChange(listener: (credentials: Credentials) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  renew(withinMs: number): void {
    const inMs = Math.max(withinMs * this.#options.random(), shortestRenewalMs);
    const atMs = this.#options.wallClock() + inMs;
    if (atMs >= this.#renewAtMs) return;
    this.#renewAtMs = atMs;
    this.#wake.abort();
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#loadKept();
    if (this.#credentials === undefined) await this.#askUntilIssued(signal);
    this.#keepFresh(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    const { trustBundleCheckMs = 2_000 } = this.#options;
    const readBundle = (): void => {
      this.#readTrustBundle().catch((error: unknown) => this.#warn("trust bundle not read", error));
    };
    readBundle();
    const check = setInterval(readBundle, trustBundleCheckMs).unref();
    signal.addEventListener("abort", () => clearInterval(check), { once: true });
  }

  async #keepFresh(signal: AbortSignal): Promise<void> {
    for (;;) {
      // In steps, because the timers of a machine that was suspended are late.
      const leftMs = Math.min(Math.max(this.#renewAtMs - this.#options.wallClock(), 0), longestTimerMs);
      this.#wake = new AbortController();
      const ended = AbortSignal.any([signal, this.#wake.signal]);
      await wait(leftMs, undefined, { signal: ended, ref: false }).catch(() => signal.throwIfAborted());
      if (this.#options.wallClock() >= this.#renewAtMs) await this.#askUntilIssued(signal);
    }
  }

  async #askUntilIssued(signal: AbortSignal): Promise<void> {
    const { addresses, random, retry = defaultRetry } = this.#options;
    const backoff = { ...retry, backoffMultiplier: 2, jitter: 0.5 };
    for (let failures = 0; ; failures++) {
      try {
        return await this.#ask(addresses[failures % addresses.length] ?? "", signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#warn("certificate not issued", error);
      }
      await wait(backoffDelayMs(backoff, failures + 1, random), undefined, { signal });
    }
  }

  async #ask(address: string, signal: AbortSignal): Promise<void> {
    const { tokenFile, trustBundleFile, controlPlaneIdentity, wallClock, clock, wheel, random, log } = this.#options;
    await this.#readTrustBundle();
    const trustBundlePem = this.#trustBundlePem;
    // Without a root, Node would use its own list of public ones.
    if (trustBundlePem === "") throw new Error(`${trustBundleFile}: holds no certificate`);
    const token = (await readFile(tokenFile, "utf8")).trim();
    const { privateKey } = await makeKey("ec", { namedCurve: "P-256" });
    const requestDer = buildCertificateRequest(privateKey);
    const asked = { address, controlPlaneIdentity, trustBundlePem, requestDer, token };
    const issued = await issueCertificate({ ...asked, clock, wheel, signal });
    const pems: CredentialPems = {
      certificateChainPem: issued.certificateChainDer.map(toPem).join(""),
      privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      trustBundlePem: issued.trustBundleDer.map(toPem).join(""),
    };
    const credentials = this.#check(pems);
    // By the answer, not by the certificate's dates, because this machine's clock may be wrong.
    const renewInMs = issued.lifetimeMs * (renewAt + renewSpread * (2 * random() - 1));
    this.#renewAtMs = wallClock() + Math.max(renewInMs, shortestRenewalMs);
    if (this.#trustBundleFrom !== "file") this.#trustBundlePem = pems.trustBundlePem;
    await this.#publish(credentials);
    log("info", "certificate issued", {
      identity: this.spiffeId,
      serial: credentials.serial,
      notAfter: new Date(credentials.notAfterMs).toISOString(),
    });
  }

  #check(pems: CredentialPems): Credentials {
    const read = readCredentials(pems);
    if (!read.ok) throw new Error(read.error);
    const { spiffeId, credentials } = read.value;
    if (spiffeId !== this.spiffeId) throw new Error(`the certificate is that of ${spiffeId}, not of ${this.spiffeId}`);
    return credentials;
  }

  /** If the file is missing, empty or half-written, the previous bundle stays in force. */
  async #readTrustBundle(): Promise<void> {
    let pem: string;
    try {
      pem = await readFile(this.#options.trustBundleFile, "utf8");
    } catch (error) {
      if (isErrorCode(error, "ENOENT") && this.#trustBundlePem !== "") return;
      throw error;
    }
    if (pem !== this.#trustBundlePem && !isCertificates(pem)) return;
    this.#trustBundleFrom = "file";
    if (pem === this.#trustBundlePem) return;
    this.#trustBundlePem = pem;
    if (this.#credentials === undefined) return;
    await this.#publish(this.#credentials);
    this.#options.log("info", "trust bundle changed");
  }

  /** Resolves once the credentials are stored; listeners get them before that. */
  #publish(leaf: Credentials): Promise<void> {
    const credentials = { ...leaf, trustBundlePem: this.#trustBundlePem };
    this.#credentials = credentials;
    for (const listener of this.#listeners) listener(credentials);
    this.#keeping = this.#keeping.then(() => this.#keep(credentials));
    return this.#keeping;
  }

  async #keep({ certificateChainPem, privateKeyPem, trustBundlePem }: CredentialPems): Promise<void> {
    const { stateFolder } = this.#options;
    if (stateFolder === undefined) return;
    try {
      const kept: CredentialPems = { certificateChainPem, privateKeyPem, trustBundlePem };
      await writeDurably(join(stateFolder, fileName), JSON.stringify(kept));
    } catch (error) {
      this.#warn("certificate not kept", error); // it is valid anyway
    }
  }

  async #loadKept(): Promise<void> {
    const { stateFolder, wallClock, log } = this.#options;
    if (stateFolder === undefined) return;
    try {
      const kept: unknown = JSON.parse(await readFile(join(stateFolder, fileName), "utf8"));
      if (!isPems(kept)) throw new Error("not what was kept");
      const credentials = this.#check(kept);
      const lifetimeMs = credentials.notAfterMs - credentials.notBeforeMs;
      if (wallClock() >= credentials.notAfterMs) return;
      this.#credentials = credentials;
      this.#trustBundlePem = credentials.trustBundlePem;
      this.#trustBundleFrom = "kept";
      this.#renewAtMs = credentials.notBeforeMs + lifetimeMs * renewAt;
      log("info", "certificate taken from before the restart", { serial: credentials.serial });
    } catch (error) {
      if (!isErrorCode(error, "ENOENT")) this.#warn("kept certificate not usable", error);
    }
  }

  #warn(message: string, error: unknown): void {
    this.#options.log("warn", message, { reason: reasonOf(error) });
  }
}

function toPem(der: Buffer): string {
  return new X509Certificate(der).toString();
}

function isPems(value: unknown): value is CredentialPems {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return ["certificateChainPem", "privateKeyPem", "trustBundlePem"].every(
    (name) => typeof fields.get(name) === "string",
  );
}
