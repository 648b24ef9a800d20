import { expect, it } from "vitest";
import { Snapshot } from "../../control-plane/snapshot.ts";
import type { Resource } from "../../model/resources.ts";

function inbound(name: string, port: number): Resource {
  return { kind: "inbound", value: { name, ports: [{ port, protocol: "http1" }] } };
}

function publish(snapshot: Snapshot, ...published: Resource[]): void {
  snapshot.commit({ published, withdrawn: [], identities: new Map() });
}

it("notifies its listeners of what differs, and not of what is equal", () => {
  const snapshot = new Snapshot();
  const heard: string[] = [];
  const stop = snapshot.watch((kind, name) => heard.push(`${kind} ${name}`));
  publish(snapshot, inbound("b", 1), inbound("a", 1));
  publish(snapshot, inbound("b", 1), inbound("a", 2));
  expect(heard).toEqual(["inbound a", "inbound b", "inbound a"]);
  stop();
  publish(snapshot, inbound("b", 3));
  expect(heard).toHaveLength(3);
});

it("has everything in place before it notifies", () => {
  const snapshot = new Snapshot();
  let seen: string[] = [];
  snapshot.watch(() => {
    seen = snapshot.list("inbound").map(({ name }) => name);
  });
  publish(snapshot, inbound("b", 1), inbound("a", 1));
  expect(seen).toEqual(["a", "b"]);
});

it("gives equal content the same version, however its fields are ordered", () => {
  const one = new Snapshot();
  const other = new Snapshot();
  publish(one, { kind: "inbound", value: { name: "a", ports: [{ port: 1, protocol: "http1" }] } });
  publish(other, { kind: "inbound", value: { ports: [{ protocol: "http1", port: 1 }], name: "a" } });
  expect(one.get("inbound", "a")?.version).toMatch(/^[0-9a-f]{12}$/);
  expect(other.get("inbound", "a")?.version).toBe(one.get("inbound", "a")?.version);
});

it("forgets a withdrawn resource with its identity, and notifies once", () => {
  const snapshot = new Snapshot();
  snapshot.commit({ published: [inbound("a", 1)], withdrawn: [], identities: new Map([["a", "spiffe://x"]]) });
  const heard: string[] = [];
  snapshot.watch((kind, name) => heard.push(`${kind} ${name}`));
  const withdrawn = [{ kind: "inbound", name: "a" }] as const;
  for (let i = 0; i < 2; i++) snapshot.commit({ published: [], withdrawn, identities: new Map() });
  expect(heard).toEqual(["inbound a"]);
  expect(snapshot.get("inbound", "a")).toBeUndefined();
  expect(snapshot.workloadIdentity("a")).toBeUndefined();
});
