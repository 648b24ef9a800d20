/** What the server's policies share: the pods and ports to which they apply. */

import type { ServerScope } from "../policy.ts";
import { port, text } from "./scalars.ts";
import { given, list, map, object } from "./schema.ts";
import { targetRefs } from "./targets.ts";

const labels = map(
  text({
    maxLength: 317,
    pattern: "^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
    says: "a label's name",
  }),
  text({
    minLength: 0,
    maxLength: 63,
    pattern: "^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$",
    says: "a label's value",
  }),
  { max: 16 },
);

/** Fields of the spec to be spread into an `object`. */
export const serverScopeFields = {
  targetRefs: targetRefs(["Service"]),
  selector: object({ matchLabels: labels.describe("Labels that the pod must have, all of them.") })
    .describe("Narrows the policy to some of the pods.")
    .optional(),
  ports: list(port(), { min: 1, max: 64, unique: String }).describe("Container ports; absent: all of them.").optional(),
};

/** The scope that those fields define; equal by content, in whatever order they were written. */
export function serverScope(fields: {
  readonly selector: { readonly matchLabels: ReadonlyMap<string, string> } | undefined;
  readonly ports: readonly number[] | undefined;
}): ServerScope {
  const labels = [...(fields.selector?.matchLabels ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...(labels.length > 0 && { labels }),
    ...given({ ports: fields.ports?.toSorted((a, b) => a - b) }),
  };
}
