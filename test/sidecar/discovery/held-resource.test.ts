import { describe, expect, it } from "vitest";
import type { Resource } from "../../../model/resources.ts";
import { type Apply, type GoodResource, HeldResource } from "../../../sidecar/discovery/held-resource.ts";

const inbound = (port: number): Resource => ({
  kind: "inbound",
  value: { name: "shop/orders", ports: [{ port, protocol: "http1" }] },
});
const good = (port: number): GoodResource => ({ resource: inbound(port), version: `v${port}` });

/** Takes everything but the ports in `refuses`. */
class Applier {
  readonly took: (number | undefined)[] = [];
  readonly refuses: readonly number[];
  readonly apply: Apply = (resource) => {
    const port = resource?.kind === "inbound" ? resource.value.ports[0]?.port : undefined;
    if (port !== undefined && this.refuses.includes(port)) return `not ${port}`;
    this.took.push(port);
    return undefined;
  };

  constructor(...refuses: number[]) {
    this.refuses = refuses;
  }
}

const held = (kept?: GoodResource) => new HeldResource("inbound", "shop/orders", kept);

describe("a held resource", () => {
  it("is unknown at first, and says nothing", () => {
    const applier = new Applier();
    expect(held().add(applier.apply)).toBeUndefined();
    expect(applier.took).toEqual([]);
  });

  it("is applied at once if it was kept from before a restart", () => {
    const applier = new Applier();
    held(good(1)).add(applier.apply);
    expect(applier.took).toEqual([1]);
  });

  it("is passed on with its version", () => {
    const versions: (string | undefined)[] = [];
    const resource = held(good(1));
    resource.add((_value, version) => {
      versions.push(version);
      return undefined;
    });
    resource.offer(good(2));
    resource.believeGone();
    expect(versions).toEqual(["v1", "v2", undefined]);
  });

  it("can be known to be absent, which later followers learn too", () => {
    const resource = held();
    resource.believeGone();
    const applier = new Applier();
    resource.add(applier.apply);
    expect(applier.took).toEqual([undefined]);
  });

  it("changes to a resource, to absence, and back", () => {
    const resource = held();
    const applier = new Applier();
    resource.add(applier.apply);
    expect(resource.offer(good(1))).toBeUndefined();
    resource.believeGone();
    resource.believeGone();
    expect(resource.offer(good(1))).toBeUndefined();
    expect(applier.took).toEqual([1, undefined, 1]);
  });

  it("is applied once, however often the same version arrives", () => {
    const resource = held();
    const applier = new Applier();
    resource.add(applier.apply);
    for (let i = 0; i < 3; i++) expect(resource.offer(good(1))).toBeUndefined();
    expect(applier.took).toEqual([1]);
  });

  it("keeps its last good version if the next can't be applied", () => {
    const resource = held();
    const applier = new Applier(2);
    resource.add(applier.apply);
    resource.offer(good(1));
    expect(resource.offer(good(2))).toBe("not 2");
    expect(resource.good).toEqual(good(1));
    expect(applier.took).toEqual([1]);
  });

  it("stays the same for all followers if one of them can't apply the next version", () => {
    const resource = held();
    const willing = new Applier();
    const unwilling = new Applier(2);
    resource.add(willing.apply);
    resource.add(unwilling.apply);
    resource.offer(good(1));
    expect(resource.offer(good(2))).toBe("not 2");
    expect(willing.took).toEqual([1, 2, 1]);
    expect(unwilling.took).toEqual([1]);
  });

  it("is unknown again if the kept version can't be applied any more", () => {
    const resource = held(good(1));
    expect(resource.add(new Applier(1).apply)).toBe("not 1");
    expect(resource.state).toEqual({ kind: "unknown" });
  });

  it("stays in force for others if a later follower can't apply it", () => {
    const resource = held(good(1));
    resource.add(new Applier().apply);
    expect(resource.add(new Applier(1).apply)).toBe("not 1");
    expect(resource.good).toEqual(good(1));
  });

  it("survives a follower that throws", () => {
    const resource = held();
    resource.add(() => {
      throw new Error("a bug");
    });
    expect(resource.offer(good(1))).toBe("internal error: a bug");
    expect(resource.state).toEqual({ kind: "unknown" });
  });

  it("is not passed on to a follower that has left", () => {
    const resource = held();
    const applier = new Applier();
    resource.add(applier.apply);
    resource.remove(applier.apply);
    resource.offer(good(1));
    expect(applier.took).toEqual([]);
    expect(resource.wanted).toBe(false);
  });
});
