/** When a step is taken: who leads, whom it waits for, and what a restart, a rival or a lost write does to it. */

import { beforeEach, describe, expect, it } from "vitest";
import type { Census, ReplicaCertificates, SidecarCertificate } from "../../../control-plane/identity/census.ts";
import { rootId } from "../../../control-plane/identity/certificate-fields.ts";
import { makeRoot } from "../../../control-plane/identity/issuer.ts";
import { RootRotation, type SignerStore } from "../../../control-plane/identity/root-rotation.ts";
import { type KeptSigner, readSigner, type SignerPems } from "../../../control-plane/identity/rotation.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

const settleMs = 30_000;

/** What is kept, as the API server keeps it: a write over an old version is refused. */
class Shelf implements SignerStore {
  kept: KeptSigner;
  writes = 0;
  fails = false;

  constructor() {
    this.kept = { ...readSigner(makeRoot("cluster.local", 0), "here"), version: "0" };
  }

  async replace(over: KeptSigner, pems: SignerPems): Promise<boolean> {
    if (this.fails) throw new Error("no answer within 10000 ms");
    if (over.version !== this.kept.version) return false;
    this.kept = { ...readSigner(pems, "here"), version: `${++this.writes}` };
    return true;
  }

  ask(request = rootId(this.kept.issuer.certificate)): void {
    this.kept = { ...this.kept, version: `${++this.writes}`, request };
  }

  get phase(): string {
    return this.kept.rotation.kind;
  }
}

/** One that has all that is asked for now. */
function sidecar(pod: string, shelf: Shelf, changes: Partial<SidecarCertificate> = {}): SidecarCertificate {
  const { trusted, signer } = shelf.kept.issuer;
  return {
    namespace: "shop",
    workload: "orders",
    pod,
    identity: "spiffe://cluster.local/ns/shop/sa/orders",
    notAfterMs: 0,
    signerKeyId: signer.keyId?.toString("hex") ?? "",
    trustedRoots: trusted.map(rootId),
    ...changes,
  };
}

const replica = (name: string, shelf: Shelf, changes: Partial<ReplicaCertificates> = {}): ReplicaCertificates => {
  const { signerKeyId, trustedRoots } = sidecar("", shelf);
  return { replica: name, signerKeyId, trustedRoots, unwritten: [], sidecars: [], ...changes };
};

let shelf: Shelf;
let clock: HandClock;
let log: RecordedLog;
let census: () => Census;
let leads: boolean;
let rotation: RootRotation;

function start(): RootRotation {
  const makeNext = () => makeRoot("cluster.local", 0);
  const options = { store: shelf, census: () => census(), leads: () => leads, settleMs, clock, log: log.write };
  return new RootRotation(shelf.kept, { ...options, makeRoot: makeNext });
}

beforeEach(() => {
  shelf = new Shelf();
  clock = new HandClock();
  log = new RecordedLog();
  census = () => ({ replicas: [replica("a", shelf)], unheard: [] });
  leads = true;
  rotation = start();
});

/** As the watch tells it, and a look at whether it is time. */
async function look(times = 1): Promise<void> {
  for (let n = 0; n < times; n++) {
    rotation.take(shelf.kept);
    await rotation.step();
  }
}

/** Everyone has had all for long enough. */
async function settle(): Promise<void> {
  await look();
  clock.advance(settleMs);
  await look();
}

async function askAndSpread(): Promise<void> {
  shelf.ask();
  await look();
}

it("takes all steps, each once everyone has completed the previous one for long enough", async () => {
  const before = rootId(shelf.kept.issuer.certificate);
  await askAndSpread();
  expect(shelf.phase).toBe("spreading");
  expect(shelf.kept.request).toBeUndefined();
  await look();
  clock.advance(settleMs - 1);
  await look();
  expect(shelf.phase).toBe("spreading");
  clock.advance(1);
  await look();
  expect(shelf.phase).toBe("reissuing");
  await settle();
  expect(shelf.phase).toBe("settled");
  expect(rootId(shelf.kept.issuer.certificate)).not.toBe(before);
  expect(log.messages).toEqual(["root rotation begun", "new root signs", "former root dropped"]);
  expect(shelf.writes).toBe(4);
});

describe("it does not begin", () => {
  it("without a request", async () => {
    await settle();
    expect(shelf.writes).toBe(0);
  });

  it("for a root that is already gone, and removes that request", async () => {
    shelf.ask("00".repeat(32));
    await look(3);
    expect(shelf).toMatchObject({ phase: "settled", writes: 2 });
    expect(shelf.kept.request).toBeUndefined();
    expect(log.messages).toEqual(["root rotation not needed"]);
  });

  it("again if it is requested twice", async () => {
    await askAndSpread();
    const { next } = shelf.kept.pems;
    shelf.ask(rootId(shelf.kept.issuer.certificate));
    await look(3);
    expect(shelf.kept.pems.next).toEqual(next);
    await settle();
    await settle();
    await settle();
    expect(shelf.phase).toBe("settled");
    expect(log.messages.filter((message) => message === "root rotation begun")).toHaveLength(1);
  });

  it("if another replica leads", async () => {
    leads = false;
    await askAndSpread();
    expect(shelf.phase).toBe("settled");
  });
});

describe("it waits, and says what for", () => {
  const held: [string, string, () => Census, string][] = [
    [
      "a sidecar that does not trust the next root",
      "spreading",
      () => one(sidecar("orders-1", shelf, { trustedRoots: [rootId(shelf.kept.issuer.certificate)] })),
      "shop/orders-1 does not trust root",
    ],
    [
      "a sidecar that does not say whom it trusts",
      "spreading",
      () => one(sidecar("orders-1", shelf, { trustedRoots: [] })),
      "shop/orders-1 does not say which roots it trusts",
    ],
    [
      "a replica that does not know of it",
      "spreading",
      () => ({ replicas: [replica("a", shelf), replica("b", shelf, { trustedRoots: ["aa"] })], unheard: [] }),
      "replica b does not trust root",
    ],
    [
      "a replica that is not heard",
      "spreading",
      () => ({ replicas: [replica("a", shelf)], unheard: ["10.0.0.2:15010"] }),
      "replica 10.0.0.2:15010 has not said what it has",
    ],
    [
      "a namespace without the roots",
      "spreading",
      () => ({ replicas: [replica("a", shelf, { unwritten: ["namespace shop"] })], unheard: [] }),
      "namespace shop has not got the roots",
    ],
    [
      "a sidecar with a certificate of the former root",
      "reissuing",
      () => one(sidecar("orders-1", shelf, { signerKeyId: "01" })),
      "shop/orders-1 goes by another key",
    ],
    [
      "a replica that signs with the former root",
      "reissuing",
      () => ({ replicas: [replica("a", shelf), replica("b", shelf, { signerKeyId: "01" })], unheard: [] }),
      "replica b goes by another key",
    ],
  ];
  const one = (...sidecars: SidecarCertificate[]): Census => ({
    replicas: [replica("a", shelf, { sidecars: [sidecar("web-1", shelf), ...sidecars] })],
    unheard: [],
  });

  it.each(held)("%s, while it is %s", async (_, phase, lacking, says) => {
    await askAndSpread();
    if (phase === "reissuing") await settle();
    expect(shelf.phase).toBe(phase);
    const complete = census;
    census = lacking;
    for (let minute = 0; minute < 10; minute++) {
      await look();
      clock.advance(60_000);
    }
    expect(shelf.phase).toBe(phase);
    const { lacks } = rotation.progress();
    expect(lacks.map(({ who, why }) => `${who} ${why}`)).toEqual([expect.stringContaining(says)]);
    const told = log.lines.filter(({ message }) => message === "root rotation waits");
    expect(told[0]?.fields).toMatchObject({ phase, lacks: 1, named: [expect.stringContaining(says)] });
    expect(told.length).toBeLessThanOrEqual(10);
    census = complete;
    await settle();
    expect(shelf.phase).toBe(phase === "spreading" ? "reissuing" : "settled");
  });

  it("from the beginning if something is missing for a moment", async () => {
    await askAndSpread();
    const complete = census;
    await look();
    clock.advance(settleMs - 1);
    census = () => one(sidecar("late", shelf, { trustedRoots: [] }));
    await look();
    census = complete;
    clock.advance(1);
    await look();
    clock.advance(settleMs - 1);
    await look();
    expect(shelf.phase).toBe("spreading");
    clock.advance(1);
    await look();
    expect(shelf.phase).toBe("reissuing");
  });
});

describe("it continues", () => {
  it.each(["spreading", "reissuing"])("after a restart while it is %s, and waits again", async (phase) => {
    await askAndSpread();
    if (phase === "reissuing") await settle();
    await look();
    clock.advance(settleMs - 1);
    rotation = start();
    await look();
    clock.advance(settleMs - 1);
    await look();
    expect(shelf.phase).toBe(phase);
    clock.advance(1);
    await look();
    expect(shelf.phase).not.toBe(phase);
  });

  it("where it left off when it leads again, and waits again", async () => {
    await askAndSpread();
    await look();
    clock.advance(settleMs);
    leads = false;
    await look();
    leads = true;
    await look();
    expect(shelf.phase).toBe("spreading");
    await settle();
    expect(shelf.phase).toBe("reissuing");
  });

  it("once its state can be written again", async () => {
    shelf.ask();
    shelf.fails = true;
    await look(2);
    expect(log.messages).toEqual(["root rotation can't go on", "root rotation can't go on"]);
    shelf.fails = false;
    await look();
    expect(shelf.phase).toBe("spreading");
  });
});

describe("of two that think that they lead", () => {
  it("one takes a step, the other can't take it from what it read before", async () => {
    const rival = start();
    shelf.ask();
    rotation.take(shelf.kept);
    rival.take(shelf.kept);
    await Promise.all([rotation.step(), rival.step()]);
    expect(shelf.writes).toBe(2);
    expect(log.messages).toEqual(["root rotation begun"]);
    // The other has not heard of it yet.
    clock.advance(10 * settleMs);
    await rival.step();
    expect(shelf.phase).toBe("spreading");
  });
});
