import { describe, expect, it } from "vitest";
import type { ResourceAcks } from "../../../control-plane/push/acks.ts";
import { decodeAcks, encodeAcks, mergeAcks } from "../../../control-plane/replicas/ack-table.ts";
import { WantedResources } from "../../../control-plane/replicas/wanted.ts";
import type {
  ResourceAcks__Output,
  ResourceAcks as ResourceAcksMessage,
} from "../../../proto/generated/tulle/v1/ResourceAcks.ts";
import { decodeMessage, encodeMessage } from "../../../proto/wire.ts";

const acks = (figures: Partial<ResourceAcks> = {}): ResourceAcks => ({
  kind: "destination",
  name: "a.shop.svc.cluster.local:80",
  version: "v2",
  subscribers: 3,
  acked: 3,
  nacks: [],
  laggards: [],
  ...figures,
});
const names = (count: number) => Array.from({ length: count }, (_, index) => `pod-${index}`);
const sent = (figures: ResourceAcks) => decodeAcks(overTheWire(encodeAcks(figures)));

function overTheWire(message: ResourceAcksMessage): ResourceAcks__Output {
  return decodeMessage("ResourceAcks", encodeMessage("ResourceAcks", message)) as ResourceAcks__Output;
}

describe("on the wire", () => {
  it("figures arrive unchanged", () => {
    const told = acks({ acked: 1, nacks: [{ pod: "b", reason: "no" }], laggards: ["c"] });
    expect(sent(told)).toEqual(told);
    const { version: _, ...absent } = acks();
    expect(sent(absent)).toEqual(absent);
  });

  it("no more than ten pods are named", () => {
    const nacks = names(30).map((pod) => ({ pod, reason: "no" }));
    const told = sent(acks({ subscribers: 60, acked: 0, nacks, laggards: names(30) }));
    expect([told?.nacks.length, told?.laggards.length, told?.subscribers]).toEqual([10, 10, 60]);
  });

  it("a kind of resource from a newer version is ignored", () => {
    expect(decodeAcks(overTheWire({}))).toBeUndefined();
  });
});

describe("the sum of replicas", () => {
  it("counts everyone's sidecars", () => {
    const others = [acks({ subscribers: 4, acked: 2, laggards: ["x", "y"] }), acks({ subscribers: 5, acked: 5 })];
    expect(mergeAcks(acks(), others)).toEqual(acks({ subscribers: 12, acked: 10, laggards: ["x", "y"] }));
  });

  it("counts sidecars of a replica with another version as waiting, whatever they have confirmed", () => {
    const old = acks({ version: "v1", subscribers: 2, acked: 1, nacks: [{ pod: "x", reason: "of v1" }] });
    expect(mergeAcks(acks(), [old])).toEqual(acks({ subscribers: 5, acked: 3 }));
  });

  it("merges refusals", () => {
    const nack = { pod: "x", reason: "no" };
    expect(mergeAcks(acks(), [acks({ subscribers: 1, acked: 0, nacks: [nack] })])).toEqual(
      acks({ subscribers: 4, nacks: [nack] }),
    );
  });
});

it("wants a resource as long as any replica wants it", () => {
  const calls: string[] = [];
  const wanted = new WantedResources((kind, name, wants) => calls.push(`${kind} ${name} ${wants}`));
  wanted.set("elsewhere", "endpoints", "a", true);
  wanted.set("elsewhere", "endpoints", "a", true);
  wanted.set("here", "endpoints", "a", true);
  wanted.set("elsewhere", "endpoints", "a", false);
  expect(calls).toEqual(["endpoints a true"]);
  wanted.set("here", "endpoints", "a", false);
  wanted.set("here", "endpoints", "a", false);
  wanted.set("elsewhere", "endpoints", "b", false);
  expect(calls).toEqual(["endpoints a true", "endpoints a false"]);
});
