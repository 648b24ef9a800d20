/** Finds the route of each request and passes it to that route's own stack. */

import { MeshError } from "../../model/errors.ts";
import { pathOf } from "../../model/path.ts";
import type { Route, RouteMatch } from "../../model/resources.ts";
import { type HeaderLookup, RouteTable } from "../../model/route-match.ts";
import type { Exchange, Service } from "../net/exchange.ts";
import { nowhere } from "../net/pass-through.ts";

export function routeRequests(routes: readonly Route[], serviceOf: (route: Route) => Service): Service {
  const match = matchRoutes(routes);
  const services = new Map(routes.map((route) => [route, serviceOf(route)]));
  return (exchange, response) => {
    const route = match(exchange);
    const service = route === undefined ? undefined : services.get(route);
    if (route === undefined || service === undefined) {
      response.abortResponse(new MeshError("no_route", `${exchange.method} ${exchange.path}`));
      return nowhere;
    }
    exchange.route = route.name;
    exchange.connectTimeoutMs = route.timeout.connectMs ?? Number.POSITIVE_INFINITY;
    return service(exchange, response);
  };
}

/** Finds the route of a request as it is at the moment. */
export function matchRoutes(routes: readonly Route[]): (exchange: Exchange) => Route | undefined {
  const table = new RouteTable(routes);
  const { routeOfAll } = table;
  if (routeOfAll !== undefined) return () => routeOfAll;
  const asksForHost = routes.some(({ matches }) => matches.some(matchesHost));
  return (exchange) => table.match(viewOf(exchange, asksForHost));
}

function viewOf(exchange: Exchange, asksForHost: boolean) {
  const path = pathOf(exchange.path);
  const headers = asksForHost ? new WithHost(exchange) : exchange.headers;
  return { method: exchange.method, path, query: exchange.path.slice(path.length + 1), headers };
}

function matchesHost({ headers = [] }: RouteMatch): boolean {
  return headers.some(({ name }) => name === "host");
}

/** Codecs keep the host apart from the other fields, but in a match it is written as one. */
class WithHost implements HeaderLookup {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  all(name: string): readonly string[] {
    return name === "host" ? [this.#exchange.authority] : this.#exchange.headers.all(name);
  }
}
