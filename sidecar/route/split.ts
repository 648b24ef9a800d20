/** Chooses the backend of each try by the route's weights. */

import type { Random } from "../../model/clock.ts";
import { MeshError } from "../../model/errors.ts";
import type { Route } from "../../model/resources.ts";
import { WeightedChoice } from "../../model/weighted-choice.ts";
import type { Service } from "../net/exchange.ts";
import { nowhere } from "../net/pass-through.ts";

export interface SplitOptions {
  /** The service of a backend by the name of its `Endpoints`. */
  readonly backend: (endpoints: string) => Service;
  readonly random: Random;
  readonly count: (route: string, backend: string) => void;
}

export function split(route: Route, { backend, random, count }: SplitOptions): Service {
  const choice = new WeightedChoice(
    route.backends.map(({ weight }) => weight),
    route.backends.map(({ endpoints }) => endpoints),
  );
  const places = route.backends.map(({ endpoints, service }) => ({
    service: backend(endpoints),
    name: `${service.namespace}/${service.name}`,
  }));
  return (exchange, response) => {
    const place = places[choice.pick(random()) ?? -1];
    if (place === undefined) {
      response.abortResponse(new MeshError("no_endpoints", `${route.name} gives no backend a weight above 0`));
      return nowhere;
    }
    exchange.backend = place.name;
    count(route.name, place.name);
    return place.service(exchange, response);
  };
}
