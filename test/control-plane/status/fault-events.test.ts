import { expect, it } from "vitest";
import { faultEvent } from "../../../control-plane/status/fault-events.ts";

const source = { instance: "replica-1", now: "2026-06-01T12:00:00.000000Z" };
const fault = { distinguishedBy: ["u-1", 1, "Accepted"], reason: "Invalid", action: "Accept", note: "spec: no" };
const nameOf = (name: string): string => {
  const regarding = { apiVersion: "tulle.dev/v1alpha1", kind: "TimeoutPolicy", namespace: "shop", name, uid: "u-1" };
  return (faultEvent(regarding, fault, source) as { metadata: { name: string } }).metadata.name;
};

it.each([
  ["a", /^a\.[0-9a-f]{16}$/],
  ["a".repeat(253), /^a{236}\.[0-9a-f]{16}$/],
  // What is left of it would end in a way that the API server refuses (RFC 1123).
  [`${"a".repeat(235)}-${"b".repeat(17)}`, /^a{235}\.[0-9a-f]{16}$/],
  [`${"a".repeat(234)}.${"b".repeat(18)}`, /^a{234}\.b\.[0-9a-f]{16}$/],
  [`${"a".repeat(235)}.${"b".repeat(17)}`, /^a{235}\.[0-9a-f]{16}$/],
])("an Event about %s has a name that the API server takes", (name, expected) => {
  expect(nameOf(name)).toMatch(expected);
});
