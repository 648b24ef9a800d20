/**
 * Sidecars that are told the same say the same of it, octet by octet: of a thousand acks of one version, one is decoded.
 */

import type { SidecarMessage__Output } from "../../proto/generated/tulle/v1/SidecarMessage.ts";
import { decodeMessage } from "../../proto/wire.ts";

/** So many versions may be under way at a time; with more, some acks are decoded twice. */
const keptAcks = 256;
/** Of the longest name and its version. */
const longestBytes = 640;
/** In all lists of one message, several times what a sidecar may subscribe to or report. */
const maxItems = 100_000;

export class MessageMemo {
  readonly #acks = new Map<string, SidecarMessage__Output>();

  /** What is returned may be shared, and is not to be changed. Throws a `RangeError` where the bytes are no message. */
  decode(bytes: Buffer): SidecarMessage__Output {
    const key = bytes.length <= longestBytes ? bytes.toString("latin1") : undefined;
    const known = key === undefined ? undefined : this.#acks.get(key);
    if (known !== undefined) return known;
    const message: SidecarMessage__Output = decodeMessage("SidecarMessage", bytes, maxItems);
    if (key === undefined || !message.ack) return message;
    if (this.#acks.size === keptAcks) this.#acks.clear();
    this.#acks.set(key, message);
    return message;
  }
}
