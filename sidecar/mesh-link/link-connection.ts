/** An HTTP/2 client as a link sees it. */

import type { Http2Client } from "../http2/client.ts";
import type { LinkConnection, LinkEvents } from "./link.ts";

/** Call it when the peer's SETTINGS have arrived. `replaceAtMs`: see `LinkConnection`. */
export function asLinkConnection(client: Http2Client, events: LinkEvents, replaceAtMs: () => number): LinkConnection {
  client.onReady = undefined;
  client.onStreamSlot = events.slotFreed;
  client.onGoaway = events.unusable;
  client.onClosed = events.unusable;
  return {
    get replaceAtMs() {
      return replaceAtMs();
    },
    request: client.request,
    get canOpenStream() {
      return client.canOpenStream;
    },
    get activeStreams() {
      return client.activeStreams;
    },
    drain: () => client.drain(),
    destroy: () => client.destroy(),
  };
}
