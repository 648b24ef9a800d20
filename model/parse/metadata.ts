/** The parts of an object's `metadata` that the mesh reads. */

import { labelName, objectName } from "./scalars.ts";
import type { Place } from "./schema.ts";

export interface Metadata {
  readonly name: string;
  /** `default` if absent, as in kubectl. */
  readonly namespace: string;
  /** Wall-clock time in ms since 1970; absent in files. */
  readonly createdAtUnixMs?: number;
}

const namespaceName = labelName().or("default");

/** Names that are wrong are reported, and left empty. */
export function readMetadata(metadata: unknown, at: Place): Metadata {
  const fields = new Map<string, unknown>(
    typeof metadata === "object" && metadata !== null ? Object.entries(metadata) : [],
  );
  const created = fields.get("creationTimestamp");
  const createdAtUnixMs = typeof created === "string" ? Date.parse(created) : Number.NaN;
  return {
    name: objectName().read(fields.get("name"), at.field("name")) ?? "",
    namespace: namespaceName.read(fields.get("namespace"), at.field("namespace")) ?? "",
    ...(!Number.isNaN(createdAtUnixMs) && { createdAtUnixMs }),
  };
}
