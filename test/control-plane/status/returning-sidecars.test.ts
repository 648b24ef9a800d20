import { beforeEach, expect, it } from "vitest";
import { ReturningSidecars } from "../../../control-plane/status/returning-sidecars.ts";
import { HandClock } from "../../support/hand-clock.ts";

let clock: HandClock;
let replicas: number;
let isMissing: boolean;
let returning: ReturningSidecars;

beforeEach(() => {
  clock = new HandClock();
  replicas = 1;
  isMissing = true;
  const countReplicas = () => replicas;
  returning = new ReturningSidecars({ countReplicas, isAnyMissing: () => isMissing, clock });
});

it("expects none while nothing has happened, even if some are missing", () => {
  expect(returning.areExpected()).toBe(false);
});

it("expects missing ones for ten seconds after the replica has begun to lead", () => {
  returning.expect();
  expect(returning.areExpected()).toBe(true);
  clock.advance(9_999);
  expect(returning.areExpected()).toBe(true);
  clock.advance(1);
  expect(returning.areExpected()).toBe(false);
});

it("expects none once all are connected", () => {
  returning.expect();
  isMissing = false;
  expect(returning.areExpected()).toBe(false);
});

it("expects those of another replica that has left, and not those of one that joins", () => {
  replicas = 2;
  expect(returning.areExpected()).toBe(false);
  replicas = 1;
  expect(returning.areExpected()).toBe(true);
  clock.advance(10_000);
  expect(returning.areExpected()).toBe(false);
});
