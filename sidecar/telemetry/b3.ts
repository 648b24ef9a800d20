/**
 * B3, as older tracers write it (https://github.com/openzipkin/b3-propagation): one field, or one per part. It is only read:
 * W3C's fields are added beside it, and B3 is passed on unchanged for applications that know nothing else.
 */

import type { HeaderFields } from "../net/header-fields.ts";
import { type CallerContext, isId } from "./trace-context.ts";

const spanIdLength = 16;
const traceIdLength = 32;

/** Undefined: there is none, or it can't be read. */
export function readB3(headers: HeaderFields): CallerContext | undefined {
  const single = headers.get("b3");
  if (single !== undefined) return readSingle(single);
  const traceId = headers.get("x-b3-traceid");
  const decision = headers.get("x-b3-flags") === "1" ? "d" : headers.get("x-b3-sampled");
  if (traceId === undefined) return decision === undefined ? undefined : decided(decision);
  return contextOf(traceId, headers.get("x-b3-spanid") ?? "", decision);
}

/** `{trace}-{span}-{decision}-{parent}`, where the last two may be missing; or only the decision. */
function readSingle(value: string): CallerContext | undefined {
  const [traceId = "", spanId, decision, parentId, ...rest] = value.split("-");
  if (spanId === undefined) return decided(value);
  if (rest.length > 0 || (parentId !== undefined && !isId(parentId, 0, spanIdLength))) return undefined;
  return contextOf(traceId, spanId, decision);
}

function contextOf(traceId: string, spanId: string, decision: string | undefined): CallerContext | undefined {
  const isShort = traceId.length === spanIdLength;
  if (!isShort && traceId.length !== traceIdLength) return undefined;
  if (spanId.length !== spanIdLength || !isId(traceId, 0, traceId.length) || !isId(spanId, 0, spanIdLength)) {
    return undefined;
  }
  // A 64-bit id is the lower half of a 128-bit one.
  return { traceId: traceId.padStart(traceIdLength, "0"), spanId, sampled: sampledBy(decision), tracestate: undefined };
}

/** A caller that says only whether to record what follows, and has no trace of its own. */
function decided(decision: string): CallerContext | undefined {
  const sampled = sampledBy(decision);
  return sampled === undefined ? undefined : { traceId: undefined, spanId: undefined, sampled, tracestate: undefined };
}

/** Undefined: the caller leaves the decision to the next hop. */
function sampledBy(decision: string | undefined): boolean | undefined {
  if (decision === "1" || decision === "d" || decision === "true") return true;
  return decision === "0" || decision === "false" ? false : undefined;
}
