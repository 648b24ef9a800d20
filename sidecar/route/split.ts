/**
 * Chooses the backend of each try: the one to which an earlier try or the application has bound it, or which was sent its
 * `Idempotency-Key` before; else by the sticky key or the `Idempotency-Key`; else by the route's weights.
 */

import type { Random } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import { keyIn } from "../../model/idempotency.ts";
import type { Route, WeightedBackend } from "../../model/resources.ts";
import { stickyKey } from "../../model/sticky.ts";
import { WeightedChoice } from "../../model/weighted-choice.ts";
import type { ClientConnection } from "../net/client-connection.ts";
import { type Exchange, type Service, stack } from "../net/exchange.ts";
import { nowhere } from "../net/pass-through.ts";
import { filterTries } from "./filters.ts";

export interface SplitOptions {
  /** Returns the service of a backend, given the name of its `Endpoints`. */
  readonly backend: (endpoints: string) => Service;
  /** Whether a backend was recently sent a request with this key, even if its weight is 0 by now. */
  readonly remembers: (endpoints: string, key: string) => boolean;
  readonly random: Random;
  readonly count: (route: string, backend: string) => void;
}

export function split(route: Route, { backend, remembers, random, count }: SplitOptions): Service {
  const { sticky } = route;
  const names = route.backends.map(({ endpoints }) => endpoints);
  const choice = new WeightedChoice(
    route.backends.map(({ weight }) => weight),
    names,
  );
  const placeOf = (exchange: Exchange): number | undefined => {
    const { headers, onlyEndpoint, client } = exchange;
    if (onlyEndpoint !== undefined) return names.indexOf(onlyEndpoint.backend);
    const bound = client?.bindings === undefined ? -1 : places.findIndex(({ name }) => isBoundTo(client, name));
    if (bound >= 0) return bound;
    const idempotencyKey = names.length > 1 ? keyIn(headers) : undefined;
    if (idempotencyKey !== undefined) {
      const knows = ({ endpoints, invalid }: WeightedBackend) =>
        invalid === undefined && remembers(endpoints, idempotencyKey);
      const former = route.backends.findIndex(knows);
      if (former >= 0) return former;
    }
    const key = (sticky && stickyKey(sticky, headers)) ?? idempotencyKey;
    return key === undefined ? choice.pick(random()) : choice.pickSticky(key);
  };
  const places = route.backends.map((to) => ({
    service: serviceOf(route, to, backend),
    name: `${to.service.namespace}/${to.service.name}`,
  }));
  return (exchange, response) => {
    const chosen = places[placeOf(exchange) ?? -1];
    if (chosen === undefined) {
      response.abortResponse(new MeshError("no_endpoints", `${route.name} gives no backend a weight above 0`));
      return nowhere;
    }
    exchange.backend = chosen.name;
    count(route.name, chosen.name);
    return chosen.service(exchange, response);
  };
}

function isBoundTo({ bindings }: ClientConnection, backend: string): boolean {
  for (const binding of bindings?.values() ?? []) if (binding.backend === backend) return true;
  return false;
}

function serviceOf(route: Route, to: WeightedBackend, backend: SplitOptions["backend"]): Service {
  const { endpoints, filters, invalid } = to;
  if (invalid !== undefined) return refuse(new MeshError("invalid_route", `${route.name}: ${invalid}`));
  const service = backend(endpoints);
  return filters === undefined ? service : stack([filterTries(route, filters)], service);
}

function refuse(error: MeshError): Service {
  return (_exchange, response) => {
    response.abortResponse(error);
    return nowhere;
  };
}
