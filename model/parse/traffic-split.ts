/**
 * TrafficSplit: the requests to one Service, spread over several.
 *
 * ```yaml
 * spec:
 *   service: catalog
 *   match:                      # in order, before the weights
 *     - headers: [{name: x-tester, value: "1"}]
 *       backends: [{service: catalog-v2}]
 *   backends:
 *     - {service: catalog-v1, weight: 90}
 *     - {service: catalog-v2, weight: 10}
 *   sticky: {by: header, name: x-user}
 *   mirror: {service: catalog-next, percent: 5}
 * ```
 * Each `match` has backends of its own, so that testers can be sent anywhere without touching everyone's weights.
 */

import type { Mirror, SplitBackend, SplitMatch, Sticky, TrafficSplit } from "../policy.ts";
import { matchFields, someCondition, toRouteMatch } from "./match.ts";
import { integer, labelName, number, port, text } from "./scalars.ts";
import { given, list, object, oneOf, type Schema } from "./schema.ts";
import type { Attached } from "./targets.ts";

const backendFields = {
  namespace: labelName()
    .describe("Absent: the policy's namespace. Another one must grant it by a ReferenceGrant.")
    .optional(),
  service: labelName().describe("The Service that gets the requests."),
  port: port().describe("Absent: the port that was dialled.").optional(),
};

const backend = object({
  ...backendFields,
  weight: integer({ min: 0, max: 1_000_000 })
    .describe("A share of the sum of all weights, which need not be 100. 0: gets nothing, and may be missing.")
    .or(1),
}).map(({ namespace, service, port, weight }): SplitBackend => ({ ...given({ namespace, port }), service, weight }));

const backends = list(backend, {
  min: 1,
  max: 16,
  unique: ({ namespace = "", service, port = "" }) => `${namespace && `${namespace}/`}${service}${port && `:${port}`}`,
});

const match = object({ ...matchFields, backends: backends.describe("Where matching requests go.") })
  .check(someCondition)
  .map(({ backends, ...fields }): SplitMatch => ({ match: toRouteMatch(fields), backends }));

const sticky: Schema<Sticky> = object({
  by: oneOf(["header", "cookie"]).describe("Where the key is."),
  name: text({
    maxLength: 256,
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    says: "the name of a header or cookie",
  }).describe("The name of that header or cookie."),
}).map(({ by, name }) => ({ by, name: by === "header" ? name.toLowerCase() : name }));

const mirror: Schema<Mirror> = object({
  ...backendFields,
  percent: number({ min: 0, max: 100 }).describe("The share of requests that are copied.").or(100),
}).map(({ namespace, service, port, percent }) => ({ ...given({ namespace, port }), service, percent }));

export const trafficSplitSpec: Schema<Attached<TrafficSplit>> = object({
  service: labelName().describe("The Service whose requests are split, in the policy's namespace."),
  port: port().describe("One of its ports; absent: all of them.").optional(),
  match: list(match, { max: 16 }).describe("Tried in order before backends, for example to route testers.").or([]),
  backends: backends.describe("Where all other requests go."),
  sticky: sticky.describe("Keeps a client at its backend while weights change. Without the key: by weight.").optional(),
  mirror: mirror.describe("Sends copies of some requests elsewhere, and drops the answers.").optional(),
}).map(({ port, sticky, mirror, ...same }) => ({ targets: [], spec: { ...same, ...given({ port, sticky, mirror }) } }));
