/** The init container's configuration, from its environment. */

import { isIP } from "node:net";
import { err, type FieldError, ok, type Result } from "../../model/result.ts";
import type { Skipped } from "./rules.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads comma-separated lists. Returns all errors, not only the first. */
export function readSkipped(env: Variables): Result<Skipped, FieldError[]> {
  const errors: FieldError[] = [];
  const list = (path: string): string[] =>
    (env[path] ?? "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  const ports = (path: string): number[] =>
    list(path).map((text) => {
      const port = Number(text);
      if (!Number.isInteger(port) || port < 1 || port > 65_535)
        errors.push({ path, message: `must hold ports, got ${text}` });
      return port;
    });
  const skipped = {
    inboundPorts: ports("TULLE_SKIP_INBOUND_PORTS"),
    outboundPorts: ports("TULLE_SKIP_OUTBOUND_PORTS"),
    outboundRanges: list("TULLE_SKIP_OUTBOUND_RANGES"),
  };
  for (const range of skipped.outboundRanges)
    if (!isRange(range))
      errors.push({ path: "TULLE_SKIP_OUTBOUND_RANGES", message: `must hold IP ranges, got ${range}` });
  return errors.length === 0 ? ok(skipped) : err(errors);
}

function isRange(text: string): boolean {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
