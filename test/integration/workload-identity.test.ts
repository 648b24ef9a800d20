/** How a workload gets its certificate and keeps it, over real sockets: at its start, by renewals, from what it has stored. */

import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Credentials } from "../../sidecar/identity/credentials.ts";
import { type IdentityOptions, startIdentity } from "../../sidecar/identity/identity-client.ts";
import { TimerWheel } from "../../sidecar/net/timer-wheel.ts";
import { TestAuthority, workloadId } from "../support/authority.ts";
import { makeRoot } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";

let ca: TestAuthority;
let folder: string;
let stop: AbortController;

beforeEach(async () => {
  ca = await TestAuthority.open();
  folder = await mkdtemp(join(tmpdir(), "tulle-workload-"));
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await ca[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function workload(serviceAccount: string, changes: Partial<IdentityOptions> = {}): Promise<IdentityOptions> {
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, await ca.token(serviceAccount));
  return {
    spiffeId: workloadId(serviceAccount),
    addresses: [ca.address],
    controlPlaneIdentity: ca.controlPlaneIdentity,
    tokenFile,
    trustBundleFile: ca.trustBundleFile,
    stateFolder: folder,
    wallClock: Date.now,
    clock: performance,
    wheel: new TimerWheel(performance),
    random: () => 0.5,
    log: new RecordedLog().write,
    trustBundleCheckMs: 20,
    retry: { initialDelayMs: 5, maxDelayMs: 20 },
    ...changes,
  };
}

describe("a workload", () => {
  it("waits for a control plane that starts later, and for its token", async () => {
    await ca.serve();
    const { address } = ca;
    await ca.stop();
    const log = new RecordedLog();
    const options = await workload("orders", {
      addresses: [address],
      log: log.write,
    });
    const starting = startIdentity(options, stop.signal);
    await eventually(() => log.lines.length > 1);
    await ca.serve();
    const identity = await starting;
    expect(identity.current().notAfterMs).toBeGreaterThan(Date.now() + 23 * 3_600_000);
  });

  it("waits for its complete trust bundle", async () => {
    await ca.serve();
    const log = new RecordedLog();
    const trustBundleFile = join(folder, "late.pem");
    const options = await workload("orders", { trustBundleFile, log: log.write });
    const starting = startIdentity(options, stop.signal);
    await eventually(() => log.lines.some(({ fields }) => String(fields["reason"]).includes("ENOENT")));
    await writeFile(trustBundleFile, ca.authority.trustBundlePem.slice(0, 100));
    await eventually(() => log.lines.some(({ fields }) => String(fields["reason"]).includes("holds no certificate")));
    await writeFile(trustBundleFile, ca.authority.trustBundlePem);
    expect((await starting).spiffeId).toBe(workloadId("orders"));
    expect(ca.outcomes).toEqual(["issued"]);
  });

  it("accepts no certificate with another name than its own", async () => {
    await ca.serve();
    const log = new RecordedLog();
    const options = await workload("orders", {
      spiffeId: workloadId("payments"),
      log: log.write,
    });
    startIdentity(options, stop.signal).catch(() => {});
    await eventually(() => log.lines.length > 0);
    expect(log.lines[0]?.fields["reason"]).toBe(
      `the certificate is that of ${workloadId("orders")}, not of ${workloadId("payments")}`,
    );
  });

  it("renews at 70 % of the lifetime, with a new key, while the former is still valid", async () => {
    await using short = await TestAuthority.open({ leafLifetimeMs: 3_000, folder: ca.folder });
    await short.serve();
    const identity = await startIdentity(await workload("orders", { addresses: [short.address] }), stop.signal);
    const first = identity.current();
    const renewed = await new Promise<Credentials>((resolve) => identity.onChange(resolve));
    expect(Date.now()).toBeLessThan(first.notAfterMs);
    expect(renewed.serial).not.toBe(first.serial);
    expect(renewed.privateKeyPem).not.toBe(first.privateKeyPem);
    expect(renewed.notAfterMs).toBeGreaterThan(first.notAfterMs);
    expect(identity.current()).toBe(renewed);
  });

  it("goes on serving with its certificate while it can't be renewed, and renews once it can", async () => {
    await using short = await TestAuthority.open({ leafLifetimeMs: 3_000, folder: ca.folder });
    await short.serve();
    const log = new RecordedLog();
    const options = await workload("orders", {
      addresses: [short.address],
      log: log.write,
    });
    const identity = await startIdentity(options, stop.signal);
    const first = identity.current();
    await short.stop();
    await eventually(() => log.messages.includes("certificate not issued"));
    expect(identity.current()).toBe(first);
    await short.serve();
    await eventually(() => identity.current() !== first);
  });

  it("needs no control plane after a restart", async () => {
    await ca.serve();
    const options = await workload("orders");
    const before = (await startIdentity(options, stop.signal)).current();
    await ca.stop();
    const after = (await startIdentity(options, stop.signal)).current();
    expect(after).toEqual(before);
    expect((await stat(join(folder, "credentials.json"))).mode & 0o777).toBe(0o600);
  });

  it("asks again if what it kept is damaged, expired or another workload's", async () => {
    await ca.serve();
    const options = await workload("orders");
    const first = (await startIdentity(options, stop.signal)).current();
    const kept = join(folder, "credentials.json");
    const good = await readFile(kept, "utf8");
    for (const spoil of [
      () => writeFile(kept, good.slice(0, 200)),
      () => writeFile(kept, JSON.stringify({ ...ca.credentials(workloadId("payments")) })),
      () =>
        writeFile(
          kept,
          JSON.stringify({ ...ca.credentials(workloadId("orders")), privateKeyPem: first.privateKeyPem }),
        ),
    ]) {
      await spoil();
      const next = (await startIdentity(options, stop.signal)).current();
      expect(next.serial).not.toBe(first.serial);
    }
    await writeFile(kept, good);
    const late = { ...options, wallClock: () => first.notAfterMs };
    expect((await startIdentity(late, stop.signal)).current().serial).not.toBe(first.serial);
  });

  it("trusts what its file says, whatever a response says later", async () => {
    await using short = await TestAuthority.open({ leafLifetimeMs: 3_000, folder: ca.folder });
    await short.serve();
    const both = ca.authority.trustBundlePem + makeRoot().pem;
    await writeFile(ca.trustBundleFile, both);
    const identity = await startIdentity(await workload("orders", { addresses: [short.address] }), stop.signal);
    expect(identity.current().trustBundlePem).toBe(both);
    const first = identity.current().serial;
    await eventually(() => identity.current().serial !== first);
    expect(identity.current().trustBundlePem).toBe(both);
  });

  it("applies a new trust bundle when the file changes, and never half of one", async () => {
    await ca.serve();
    const identity = await startIdentity(await workload("orders"), stop.signal);
    const seen: string[] = [];
    identity.onChange(({ trustBundlePem }) => seen.push(trustBundlePem));
    const both = ca.authority.trustBundlePem + makeRoot().pem;
    await writeFile(ca.trustBundleFile, both.slice(0, 500));
    await writeFile(ca.trustBundleFile, both);
    await eventually(() => identity.current().trustBundlePem === both);
    expect(seen).toEqual([both]);
  });
});
