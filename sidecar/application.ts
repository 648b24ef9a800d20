/** The application behind this sidecar: its ports at the pod's IP, never at loopback, where it may keep things private. */

import type { Clock } from "../model/clock.ts";
import { MeshError } from "../model/errors.ts";
import { joinAddress } from "./net/address.ts";
import type { Service } from "./net/exchange.ts";
import { PassThrough } from "./net/pass-through.ts";
import { PlainUpstreams } from "./net/plain-upstreams.ts";
import type { TimerWheel } from "./net/timer-wheel.ts";

export interface ApplicationOptions {
  readonly podIp: string;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
}

export class Application {
  readonly #options: ApplicationOptions;
  readonly #upstreams: PlainUpstreams;

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.#upstreams = new PlainUpstreams(options);
  }

  /** Sends a request to the port in `exchange.target`. */
  readonly service: Service = (exchange, response) => {
    const { target } = exchange;
    if (target === undefined) throw new Error("a request reached the application without a target");
    const reached = new Reached(response);
    reached.attach(this.#upstreams.service(joinAddress(this.#options.podIp, target.port))(exchange, reached));
    return reached;
  };

  close(): void {
    this.#upstreams.close();
  }
}

/** An application that takes no connection has processed nothing: the peer is told so, and tries elsewhere. */
class Reached extends PassThrough {
  override abortResponse(error: MeshError): void {
    const refused = error.code === "connect_failed" || error.code === "connect_timeout";
    super.abortResponse(
      refused ? new MeshError("refused_stream", error.message, { cause: error, processed: "unprocessed" }) : error,
    );
  }
}
