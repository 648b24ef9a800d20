/** Which traces are recorded: decided by the trace id and the caller's decision, before any span is built. */

import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import { isTraceSampled } from "../../model/trace-sampling.ts";

export interface Sampler {
  /** The share of traces without a parent that are recorded, 0 to 1. */
  readonly ratio: number;
  /** Whether a caller's decision stands; else the ratio decides for every request. */
  readonly parentBased: boolean;
}

export const defaultSampler: Sampler = { ratio: 0.01, parentBased: true };

/** Sidecars with the same ratio decide alike about a trace, and a larger ratio only adds traces. */
export function isSampled(
  { parentBased, ratio: ownRatio }: Sampler,
  traceId: string,
  parentSampled: boolean | undefined,
  ratio = ownRatio,
): boolean {
  if (parentBased && parentSampled !== undefined) return parentSampled;
  return isTraceSampled(traceId, ratio);
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`, as defined by
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. If the first is not set: parent-based, 1 %.
 */
export function parseSampler(env: Variables): Result<Sampler, FieldError> {
  const name = env["OTEL_TRACES_SAMPLER"] ?? "";
  const ratio = parseRatio(env["OTEL_TRACES_SAMPLER_ARG"], name === "" ? defaultSampler.ratio : 1);
  if (!ratio.ok) return ratio;
  switch (name) {
    case "":
    case "parentbased_traceidratio":
      return ok({ ratio: ratio.value, parentBased: true });
    case "traceidratio":
      return ok({ ratio: ratio.value, parentBased: false });
    case "always_on":
      return ok({ ratio: 1, parentBased: false });
    case "always_off":
      return ok({ ratio: 0, parentBased: false });
    case "parentbased_always_on":
      return ok({ ratio: 1, parentBased: true });
    case "parentbased_always_off":
      return ok({ ratio: 0, parentBased: true });
    default:
      return err({
        path: "OTEL_TRACES_SAMPLER",
        message: `must be always_on, always_off, traceidratio or one of these after parentbased_, got ${name}`,
      });
  }
}

function parseRatio(text: string | undefined, otherwise: number): Result<number, FieldError> {
  if (text === undefined || text === "") return ok(otherwise);
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ok(ratio);
  return err({ path: "OTEL_TRACES_SAMPLER_ARG", message: `must be a number from 0 to 1, got ${text}` });
}
