import type { MeshError } from "../../../model/errors.ts";
import type { LinkConnection, LinkEvents } from "../../../sidecar/mesh-link/link.ts";
import type { Exchange, RequestSink, ResponseSink } from "../../../sidecar/net/exchange.ts";
import { RecordingUpstream } from "../../support/exchange.ts";

/** A connection with as many streams as it is given. */
export class HandConnection implements LinkConnection {
  readonly requests: Exchange[] = [];
  readonly ends: string[] = [];
  activeStreams = 0;
  replaceAtMs = Number.POSITIVE_INFINITY;
  maxStreams: number;
  readonly #events: LinkEvents;

  constructor(events: LinkEvents, maxStreams: number) {
    this.#events = events;
    this.maxStreams = maxStreams;
  }

  get canOpenStream(): boolean {
    return this.activeStreams < this.maxStreams;
  }

  readonly request = (exchange: Exchange, response: ResponseSink): RequestSink => {
    this.activeStreams++;
    this.requests.push(exchange);
    return new RecordingUpstream().service(exchange, response);
  };

  endStream(): void {
    this.activeStreams--;
    this.#events.slotFreed();
  }

  goAway(): void {
    this.maxStreams = 0;
    this.#events.unusable();
  }

  drain(): void {
    this.ends.push("drained");
  }

  destroy(error: MeshError): void {
    this.ends.push(`destroyed: ${error.code}`);
  }
}
