import { describe, expect, it } from "vitest";
import { Leadership, type Lease, type LeaseStore } from "../../../control-plane/status/leadership.ts";
import { HandClock } from "../../support/hand-clock.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

/** A lease as the API server keeps it: each write makes a new version, and one over an old version is refused. */
class Shelf implements LeaseStore {
  lease: Lease | undefined;
  writes = 0;
  /** What the next request does instead of being answered. */
  fails: (() => void) | undefined;

  async read(): Promise<Lease | undefined> {
    this.fails?.();
    return this.lease;
  }

  async create(lease: Omit<Lease, "version">): Promise<Lease | undefined> {
    this.fails?.();
    return this.lease === undefined ? this.write(lease) : undefined;
  }

  async take(over: Lease, holder: string, durationMs: number): Promise<Lease | undefined> {
    this.fails?.();
    if (this.lease?.version !== over.version) return undefined;
    return this.write({ holder, durationMs, transitions: over.transitions + 1 });
  }

  async renew(over: Lease): Promise<Lease | undefined> {
    this.fails?.();
    return this.lease?.version === over.version ? this.write(over) : undefined;
  }

  write({ holder, durationMs, transitions }: Omit<Lease, "version">): Lease {
    this.lease = { version: `${++this.writes}`, holder, durationMs, transitions };
    return this.lease;
  }
}

function replicasOf(shelf: Shelf) {
  const log = new RecordedLog();
  const replica = (identity: string, clock = new HandClock()) => {
    const changes: boolean[] = [];
    const options = { identity, store: shelf, clock, random: () => 0.5, log: log.write };
    return { leadership: new Leadership({ ...options, onChange: (leads) => changes.push(leads) }), clock, changes };
  };
  return { replica, log };
}

const second = 1_000;

describe("a follower", () => {
  it("creates the lease if there is none, and leads", async () => {
    const shelf = new Shelf();
    const a = replicasOf(shelf).replica("a");
    expect(a.leadership.leads).toBe(false);
    await a.leadership.step();
    expect(a.leadership.leads).toBe(true);
    expect(shelf.lease).toMatchObject({ holder: "a", durationMs: 15 * second, transitions: 0 });
    expect(a.changes).toEqual([true]);
  });

  it("follows whoever created it first", async () => {
    const shelf = new Shelf();
    const { replica } = replicasOf(shelf);
    const [a, b] = [replica("a"), replica("b")];
    await Promise.all([a.leadership.step(), b.leadership.step()]);
    expect([a.leadership.leads, b.leadership.leads]).toEqual([true, false]);
  });

  it("takes a lease that has not changed for its duration by its own clock, whatever others' clocks say", async () => {
    const shelf = new Shelf();
    shelf.write({ holder: "gone", durationMs: 15 * second, transitions: 3 });
    const b = replicasOf(shelf).replica("b", new HandClock(1e12));
    await b.leadership.step();
    b.clock.advance(14_999);
    await b.leadership.step();
    expect(b.leadership.leads).toBe(false);
    b.clock.advance(1);
    await b.leadership.step();
    expect(b.leadership.leads).toBe(true);
    expect(shelf.lease).toMatchObject({ holder: "b", transitions: 4 });
  });

  it.each([
    ["a second", second, 15 * second],
    ["a lifetime", 1e9 * second, 60 * second],
  ])("waits as long as is sensible where somebody has written %s into the lease", async (_, durationMs, waitMs) => {
    const shelf = new Shelf();
    shelf.write({ holder: "mallory", durationMs, transitions: 3 });
    const b = replicasOf(shelf).replica("b", new HandClock());
    await b.leadership.step();
    b.clock.advance(waitMs - 1);
    await b.leadership.step();
    expect(b.leadership.leads).toBe(false);
    b.clock.advance(1);
    await b.leadership.step();
    expect(b.leadership.leads).toBe(true);
  });

  it("starts waiting again after each renewal", async () => {
    const shelf = new Shelf();
    const { replica } = replicasOf(shelf);
    const [a, b] = [replica("a"), replica("b")];
    await a.leadership.step();
    for (let turn = 0; turn < 10; turn++) {
      await b.leadership.step();
      for (const { clock } of [a, b]) clock.advance(9 * second);
      await a.leadership.step();
    }
    expect([a.leadership.leads, b.leadership.leads]).toEqual([true, false]);
    expect(shelf.lease?.transitions).toBe(0);
  });

  it("takes at once a lease that was given up", async () => {
    const shelf = new Shelf();
    const { replica } = replicasOf(shelf);
    const [a, b] = [replica("a"), replica("b")];
    await a.leadership.step();
    await b.leadership.step();
    await a.leadership.release();
    expect(a.leadership.leads).toBe(false);
    await b.leadership.step();
    expect(b.leadership.leads).toBe(true);
  });

  it("is free for a time that the API server accepts, although somebody took it off the lease before", async () => {
    const shelf = new Shelf();
    const a = replicasOf(shelf).replica("a");
    await a.leadership.step();
    shelf.write({ holder: "a", durationMs: 0, transitions: 0 });
    a.clock.advance(4 * second);
    await a.leadership.step();
    await a.leadership.release();
    expect(shelf.lease).toMatchObject({ holder: "", durationMs: 15 * second });
  });

  it("does not lead if another was faster", async () => {
    const shelf = new Shelf();
    shelf.write({ holder: "", durationMs: 15 * second, transitions: 0 });
    const { replica } = replicasOf(shelf);
    const [a, b] = [replica("a"), replica("b")];
    await Promise.all([a.leadership.step(), b.leadership.step()]);
    expect([a, b].filter(({ leadership }) => leadership.leads)).toHaveLength(1);
  });
});

it("leads at once if it took the lease without getting the answer", async () => {
  const shelf = new Shelf();
  const a = replicasOf(shelf).replica("a");
  shelf.write({ holder: "a", durationMs: 15 * second, transitions: 1 });
  await a.leadership.step();
  expect(a.leadership.leads).toBe(true);
});

describe("a leader", () => {
  it("stops leading before anyone may replace it, even while a request hangs", async () => {
    const shelf = new Shelf();
    const { replica } = replicasOf(shelf);
    const [a, b] = [replica("a"), replica("b")];
    await a.leadership.step();
    await b.leadership.step();
    shelf.fails = () => {
      throw new Error("no route to host");
    };
    for (const { clock } of [a, b]) clock.advance(9_999);
    await a.leadership.step();
    expect(a.leadership.leads).toBe(true);
    for (const { clock } of [a, b]) clock.advance(1);
    expect(a.leadership.leads).toBe(false); // it needs no answer to know
    await a.leadership.step();
    expect(a.changes).toEqual([true, false]);
    shelf.fails = undefined;
    await b.leadership.step();
    expect(b.leadership.leads).toBe(false); // 10 s are not 15 s
    b.clock.advance(5 * second);
    await b.leadership.step();
    expect(b.leadership.leads).toBe(true);
  });

  it("counts from before it sent its request", async () => {
    const shelf = new Shelf();
    const a = replicasOf(shelf).replica("a");
    await a.leadership.step();
    shelf.fails = () => a.clock.advance(8 * second);
    await a.leadership.step();
    a.clock.advance(2 * second);
    expect(a.leadership.leads).toBe(false);
  });

  it("follows whoever took its lease", async () => {
    const shelf = new Shelf();
    const a = replicasOf(shelf).replica("a");
    await a.leadership.step();
    shelf.write({ holder: "b", durationMs: 15 * second, transitions: 1 });
    await a.leadership.step();
    expect(a.leadership.leads).toBe(false);
    expect(a.changes).toEqual([true, false]);
  });

  it("follows if its lease was deleted, and creates it again", async () => {
    const shelf = new Shelf();
    const a = replicasOf(shelf).replica("a");
    await a.leadership.step();
    shelf.lease = undefined;
    await a.leadership.step();
    expect(a.leadership.leads).toBe(false);
    await a.leadership.step();
    expect(a.leadership.leads).toBe(true);
  });

  it("continues if somebody wrote something else into its lease, and renews it the next time", async () => {
    const shelf = new Shelf();
    const a = replicasOf(shelf).replica("a");
    await a.leadership.step();
    shelf.write({ holder: "a", durationMs: 15 * second, transitions: 0 });
    a.clock.advance(4 * second);
    await a.leadership.step();
    a.clock.advance(4 * second);
    await a.leadership.step();
    a.clock.advance(4 * second);
    expect(a.leadership.leads).toBe(true);
    expect(a.changes).toEqual([true]);
  });

  it("does not lead after it gave up, even if nobody noticed", async () => {
    const shelf = new Shelf();
    const { replica, log } = replicasOf(shelf);
    const a = replica("a");
    await a.leadership.step();
    shelf.fails = () => {
      throw new Error("no route to host");
    };
    await a.leadership.release();
    expect(a.leadership.leads).toBe(false);
    expect(log.messages).toContain("lease not given up");
  });
});

it("asks at varying intervals, more often while it follows", async () => {
  const shelf = new Shelf();
  let chance = 0;
  const options = { identity: "a", store: shelf, clock: new HandClock(), random: () => chance, log: () => {} };
  const a = new Leadership(options);
  expect(a.pauseMs).toBeCloseTo(1_600);
  chance = 1;
  expect(a.pauseMs).toBeCloseTo(2_400);
  await a.step();
  expect(a.pauseMs).toBeCloseTo(4_800);
});
