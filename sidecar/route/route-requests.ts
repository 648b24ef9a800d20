/** Finds the route of each request and passes it to that route's own stack. */

import { MeshError } from "../../model/errors.ts";
import { pathOf } from "../../model/path.ts";
import type { Route } from "../../model/resources.ts";
import { RouteTable } from "../../model/route-match.ts";
import type { Exchange, Service } from "../net/exchange.ts";
import { nowhere } from "../net/pass-through.ts";

export function routeRequests(routes: readonly Route[], serviceOf: (route: Route) => Service): Service {
  const table = new RouteTable(routes);
  const services = new Map(routes.map((route) => [route, serviceOf(route)]));
  return (exchange, response) => {
    const route = table.match(viewOf(exchange));
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

function viewOf(exchange: Exchange) {
  const path = pathOf(exchange.path);
  return { method: exchange.method, path, query: exchange.path.slice(path.length + 1), headers: exchange.headers };
}
