/**
 * The probes that kubelet sent to a container before its pod had a sidecar. Injection writes these into the sidecar's
 * environment and points kubelet at the sidecar, which sends them on kubelet's behalf: behind a redirect a probe would find a
 * listener even if the application has none, and in a strict pod plaintext is refused.
 */

import { err, ok, type Result } from "./result.ts";

export type ProbeAction =
  | {
      readonly kind: "http";
      readonly port: number;
      readonly path: string;
      readonly tls: boolean;
      /** Names as written, one entry for each field. */
      readonly headers: readonly (readonly [name: string, value: string])[];
    }
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string };

export interface ApplicationProbe {
  readonly action: ProbeAction;
  /** Absent for a lifecycle hook, which may take as long as kubelet waits. */
  readonly timeoutMs?: number;
}

/** Keyed by the path at which the sidecar answers. */
export type ApplicationProbes = Readonly<Record<string, ApplicationProbe>>;

/** On the sidecar's admin port. */
export function probePath(container: string, kind: string): string {
  return `/probe/${container}/${kind}`;
}

/** Reads what injection wrote: JSON; an empty text means none. */
export function parseApplicationProbes(text: string): Result<ReadonlyMap<string, ApplicationProbe>, string> {
  if (text === "") return ok(new Map());
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err("must be JSON");
  }
  if (!isRecord(value)) return err("must be an object of probes by path");
  const probes = new Map<string, ApplicationProbe>();
  for (const [path, probe] of Object.entries(value)) {
    if (!isProbe(probe)) return err(`holds no probe at ${path}`);
    probes.set(path, probe);
  }
  return ok(probes);
}

function isProbe(value: unknown): value is ApplicationProbe {
  if (!isRecord(value) || !isRecord(value["action"])) return false;
  const { timeoutMs } = value;
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs > 0)) return false;
  return isAction(value["action"]);
}

function isAction(action: Readonly<Record<string, unknown>>): boolean {
  const { port } = action;
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) return false;
  switch (action["kind"]) {
    case "tcp":
      return true;
    case "grpc":
      return typeof action["service"] === "string";
    case "http": {
      const { path, tls, headers } = action;
      return typeof path === "string" && typeof tls === "boolean" && Array.isArray(headers) && headers.every(isField);
    }
    default:
      return false;
  }
}

function isField(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === "string");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
