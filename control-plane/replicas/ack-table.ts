/** Encodes and decodes the acks of one resource between replicas, and sums them up. Pure. */

import { decodeName } from "../../proto/decode.ts";
import { encodeName } from "../../proto/encode.ts";
import type {
  ResourceAcks__Output,
  ResourceAcks as ResourceAcksMessage,
} from "../../proto/generated/tulle/v1/ResourceAcks.ts";
import type { ResourceAcks } from "../push/acks.ts";

/** Nobody reads more names than this, and messages must stay small. */
const maxNamed = 10;

export function encodeAcks({
  kind,
  name,
  version = "",
  subscribers,
  acked,
  nacks,
  laggards,
}: ResourceAcks): ResourceAcksMessage {
  return {
    resource: encodeName(kind, name),
    version,
    subscribers,
    acked,
    nacks: nacks.slice(0, maxNamed),
    laggards: laggards.slice(0, maxNamed),
  };
}

/** Undefined: this version does not know the kind of resource. */
export function decodeAcks(message: ResourceAcks__Output): ResourceAcks | undefined {
  const resource = decodeName(message.resource);
  if (resource === undefined) return undefined;
  const { version, subscribers, acked } = message;
  const nacks = message.nacks.slice(0, maxNamed).map(({ pod, reason }) => ({ pod, reason }));
  const laggards = message.laggards.slice(0, maxNamed);
  return { ...resource, ...(version !== "" && { version }), subscribers, acked, nacks, laggards };
}

/** Sums what this replica knows and what others report. A replica that reports another version does not have this one yet. */
export function mergeAcks(own: ResourceAcks, others: readonly ResourceAcks[]): ResourceAcks {
  const same = others.filter(({ version }) => version === own.version);
  return {
    ...own,
    subscribers: sum([own, ...others].map(({ subscribers }) => subscribers)),
    acked: sum([own, ...same].map(({ acked }) => acked)),
    nacks: [own, ...same].flatMap(({ nacks }) => nacks),
    laggards: [own, ...others].flatMap(({ laggards }) => laggards).slice(0, maxNamed),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
