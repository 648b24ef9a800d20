/**
 * Encodes each resource once, however many subscribers it has, as a message of gRPC with its prefix: all write the same bytes.
 * Messages may be joined: each is an update of its own.
 */

import type { ResourceKind } from "../../model/resources.ts";
import { encodeName, encodeResource, encodeUpdate } from "../../proto/encode.ts";
import { framed } from "../../proto/message-reader.ts";
import type { PublishedResource } from "../snapshot.ts";

export class UpdateEncoder {
  /** A change makes a new `PublishedResource`, and the former goes from here with its last holder. */
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
