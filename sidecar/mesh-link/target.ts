/** Which pod and port a stream on a link is meant for: written by one end, read by the other. */

import { splitAddress } from "../../model/address.ts";
import { MeshError } from "../../model/errors.ts";
import type { InboundPort } from "../../model/resources.ts";
import type { Exchange, Layer, ResponseHead } from "../net/exchange.ts";
import { nowhere } from "../net/pass-through.ts";
import { rejoin } from "../policy/bound-connections.ts";

/** `address` is `podIP:containerPort`. A tunnel carries it as `:authority`, anything else as `tulle-target`. */
export function aimAt(address: string): Layer {
  return (next) => (exchange, response) => {
    if (exchange.method === "CONNECT") exchange.authority = address;
    else exchange.headers.set("tulle-target", address);
    if (exchange.overHttp2) exchange.headers.set("tulle-protocol", "http2");
    rejoin(exchange, address);
    return next(exchange, response);
  };
}

/** Recognises the wrong pod's response, so that the request can be tried elsewhere; undefined: it is a different response. */
export function wrongPodIn({ status, headers }: ResponseHead): MeshError | undefined {
  if (status !== 421 || headers.get("tulle-error") !== "wrong_pod") return undefined;
  return new MeshError("wrong_pod", "its address belongs to another pod now", { processed: "unprocessed" });
}

export interface TargetOptions {
  readonly podIp: string;
  /** The pod's declared container ports as they are now; undefined: the control plane has not said yet. */
  readonly ports: () => readonly InboundPort[] | undefined;
}

/**
 * Finds the container port that a stream is meant for (`exchange.target`), or refuses it with `wrong_pod`. As long as this
 * sidecar does not know its ports and their policies, it accepts nothing, so that the caller tries elsewhere.
 */
export function takeTarget({ podIp, ports }: TargetOptions): Layer {
  let known: PortIndex | undefined;
  return (next) => (exchange, response) => {
    const current = ports();
    if (known?.ports !== current) known = current && new PortIndex(current);
    if (known === undefined) {
      const error = new MeshError("refused_stream", `${podIp} does not know its own policies yet`, {
        processed: "unprocessed",
      });
      response.abortResponse(error);
      return nowhere;
    }
    const target = targetPort(exchange, podIp, known);
    if (target === undefined) {
      const asked = exchange.headers.get("tulle-target") ?? exchange.authority;
      const error = new MeshError("wrong_pod", `${asked} is not ${podIp} with a declared port`, {
        processed: "unprocessed",
      });
      response.abortResponse(error);
      return nowhere;
    }
    exchange.target = target;
    exchange.overHttp2 = exchange.headers.get("tulle-protocol") === "http2";
    return next(exchange, response);
  };
}

/**
 * Opens no tunnel to a port that is declared as HTTP: requests inside it would bypass all checks, and could carry fields of the
 * mesh's own. Anyone with an HTTP/2 connection may ask for a tunnel: a peer, or a caller in the clear.
 */
export function refuseTunnels(): Layer {
  return (next) => (exchange, response) => {
    const { method, target } = exchange;
    if (method !== "CONNECT" || target === undefined || !isHttp(target)) return next(exchange, response);
    response.abortResponse(new MeshError("unsupported", `port ${target.port} is HTTP's`, { processed: "unprocessed" }));
    return nowhere;
  };
}

/** Whether the port is declared as HTTP. */
function isHttp({ protocol }: InboundPort): boolean {
  return protocol === "http1" || protocol === "http2" || protocol === "grpc";
}

/** If there is no target (a foreign client): the authority's port if the pod declares it, else the pod's only port. */
function targetPort(exchange: Exchange, podIp: string, known: PortIndex): InboundPort | undefined {
  const isTunnel = exchange.method === "CONNECT";
  const target = isTunnel ? exchange.authority : exchange.headers.get("tulle-target");
  if (target !== undefined) return known.at(target, podIp);
  const { ports, byPort } = known;
  const { port } = splitAddress(exchange.authority);
  return byPort.get(port) ?? (ports.length === 1 ? ports[0] : undefined);
}

/** An index, because a pod may declare a thousand ports and each request asks for one. */
class PortIndex {
  readonly ports: readonly InboundPort[];
  readonly byPort: ReadonlyMap<number | undefined, InboundPort>;
  /** The last target, and what it led to: the requests of a link usually go to the same port. */
  #lastTarget = "";
  #lastFound: InboundPort | undefined;

  constructor(ports: readonly InboundPort[]) {
    this.ports = ports;
    this.byPort = new Map(ports.map((port) => [port.port, port]));
  }

  /** Undefined: the target is another pod's, or a port that this one does not declare. */
  at(target: string, podIp: string): InboundPort | undefined {
    if (target === this.#lastTarget) return this.#lastFound;
    const { host, port } = splitAddress(target);
    const found = host === podIp ? this.byPort.get(port) : undefined;
    this.#lastTarget = target;
    this.#lastFound = found;
    return found;
  }
}
