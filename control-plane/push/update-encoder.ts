/**
 * Encodes each resource once, however many subscribers it has, as a gRPC message with its prefix: the same bytes are written to
 * all. Messages may be joined, because each is a complete update.
 */

import type { ResourceKind } from "../../model/resources.ts";
import { encodeName, encodeResource, encodeUpdate } from "../../proto/encode.ts";
import { framed } from "../../proto/message-reader.ts";
import type { PublishedResource } from "../snapshot.ts";

export class UpdateEncoder {
  /** A change creates a new `PublishedResource`, and the previous one is dropped here with its last holder. */
  readonly #encoded = new WeakMap<PublishedResource, Buffer>();
  readonly #onEncode: () => void;

  constructor(onEncode: () => void = () => {}) {
    this.#onEncode = onEncode;
  }

  resource(published: PublishedResource): Buffer {
    const known = this.#encoded.get(published);
    if (known !== undefined) return known;
    this.#onEncode();
    const bytes = framed(encodeUpdate({ resources: [encodeResource(published.resource, published.version)] }));
    this.#encoded.set(published, bytes);
    return bytes;
  }

  absent(kind: ResourceKind, name: string): Buffer {
    return framed(encodeUpdate({ absent: [encodeName(kind, name)] }));
  }

  subscribed(names: readonly { readonly kind: ResourceKind; readonly name: string }[]): Buffer {
    return framed(encodeUpdate({ subscribed: names.map(({ kind, name }) => encodeName(kind, name)) }));
  }

  refused(kind: ResourceKind, name: string, reason: string): Buffer {
    return framed(encodeUpdate({ refused: [{ resource: encodeName(kind, name), reason }] }));
  }
}
