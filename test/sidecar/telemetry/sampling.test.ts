import { expect, it } from "vitest";
import { defaultSampler, isSampled, parseSampler } from "../../../sidecar/telemetry/sampling.ts";
import { IdSource } from "../../../sidecar/telemetry/trace-context.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function traceIds(count: number): string[] {
  const random = seededRandom(7);
  const ids = new IdSource((pool) => {
    for (let i = 0; i < pool.length; i++) pool[i] = Math.floor(random() * 256);
  });
  return Array.from({ length: count }, () => ids.traceId());
}

it("records the share of traces given by the ratio", () => {
  const sampled = traceIds(100_000).filter((id) => isSampled({ ratio: 0.01, parentBased: true }, id, undefined));
  const expected = 1_000;
  expect(Math.abs(sampled.length - expected)).toBeLessThan(4.5 * Math.sqrt(expected));
});

it("records all at 1 and none at 0", () => {
  const ids = ["0".repeat(31).concat("1"), "f".repeat(32), ...traceIds(1_000)];
  expect(ids.every((id) => isSampled({ ratio: 1, parentBased: false }, id, false))).toBe(true);
  expect(ids.some((id) => isSampled({ ratio: 0, parentBased: false }, id, true))).toBe(false);
});

it("only adds traces as the ratio grows", () => {
  for (const id of traceIds(5_000)) {
    const verdicts = [0.001, 0.01, 0.1, 0.5, 0.9].map((ratio) =>
      isSampled({ ratio, parentBased: true }, id, undefined),
    );
    expect(verdicts).toEqual(verdicts.toSorted((a, b) => Number(a) - Number(b)));
  }
});

it("follows the caller's decision when it is parent-based, and does not when it is not", () => {
  const id = "f".repeat(32);
  expect(isSampled({ ratio: 0, parentBased: true }, id, true)).toBe(true);
  expect(isSampled({ ratio: 1, parentBased: true }, id, false)).toBe(false);
  expect(isSampled({ ratio: 1, parentBased: false }, id, false)).toBe(true);
});

it.each([
  [undefined, undefined, defaultSampler],
  [undefined, "0.5", { ratio: 0.5, parentBased: true }],
  ["always_on", undefined, { ratio: 1, parentBased: false }],
  ["always_off", "0.5", { ratio: 0, parentBased: false }],
  ["traceidratio", "0.25", { ratio: 0.25, parentBased: false }],
  ["traceidratio", undefined, { ratio: 1, parentBased: false }],
  ["parentbased_always_on", undefined, { ratio: 1, parentBased: true }],
  ["parentbased_always_off", undefined, { ratio: 0, parentBased: true }],
  ["parentbased_traceidratio", "1e-3", { ratio: 0.001, parentBased: true }],
])("reads the sampler %s with the argument %s", (name, argument, value) => {
  const env = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument };
  expect(parseSampler(env)).toEqual({ ok: true, value });
});

it.each(["1.5", "-0.1", "1%", "NaN", "much"])("refuses the ratio %s, and names the variable", (argument) => {
  const verdict = parseSampler({ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: argument });
  const message = `must be a number from 0 to 1, got ${argument}`;
  expect(verdict).toEqual({ ok: false, error: { path: "OTEL_TRACES_SAMPLER_ARG", message } });
});

it("refuses an unknown sampler", () => {
  const verdict = parseSampler({ OTEL_TRACES_SAMPLER: "jaeger_remote" });
  expect(verdict).toMatchObject({ ok: false, error: { path: "OTEL_TRACES_SAMPLER" } });
});
