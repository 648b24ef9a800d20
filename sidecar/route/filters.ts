/**
 * Applies the filters of a route, or of one of its backends, in order: edits headers, rewrites the target, answers redirects.
 * What they make of a request is decided in `model/route-filters.ts`.
 *
 * A filter that this build does not know refuses the request: it must not be sent as if the filter were not there.
 */

import { MeshError } from "../../model/errors.ts";
import type { HeaderEdits, PathRewrite, Route, RouteFilter } from "../../model/resources.ts";
import { assertNever } from "../../model/result.ts";
import { editHeaders, matchedPrefix, redirectLocation, rewriteTarget } from "../../model/route-filters.ts";
import type { Exchange, Layer, RequestSink, ResponseHead, ResponseSink, Service } from "../net/exchange.ts";
import { HeaderFields } from "../net/header-fields.ts";
import { nowhere, PassThrough } from "../net/pass-through.ts";

/** Returns false if it has answered, so that the request goes no further. */
type Step = (exchange: Exchange, response: ResponseSink) => boolean;

/** The filters of a whole route. Its place is above the retry: a request is edited once, however often it is tried. */
export function filterRequests(route: Route): Layer {
  const { filters = [] } = route;
  const steps = stepsOf(route, filters);
  const edits = answerEdits(filters);
  if (filters.length === 0) return (next) => next;
  return (next) => (exchange, response) => {
    if (edits.length === 0) return take(steps, exchange, response) ? next(exchange, response) : nowhere;
    const edited = new EditedAnswer(response, edits);
    if (take(steps, exchange, edited)) edited.attach(next(exchange, edited));
    return edited;
  };
}

/**
 * The filters of one backend. Its place is below the retry: the next try may go to another backend, so the edits for a backend
 * are undone when its try ends, and the retry judges and sends the request as the route left it.
 */
export function filterTries(route: Route, filters: readonly RouteFilter[]): Layer {
  const steps = stepsOf(route, filters);
  const edits = answerEdits(filters);
  return (next) => (exchange, response) => new FilteredTry(exchange, response, edits).through(steps, next);
}

function take(steps: readonly Step[], exchange: Exchange, response: ResponseSink): boolean {
  for (const step of steps) if (!step(exchange, response)) return false;
  return true;
}

function answerEdits(filters: readonly RouteFilter[]): HeaderEdits[] {
  return filters.flatMap((filter) => (filter.kind === "response-headers" ? [filter] : []));
}

function stepsOf(route: Route, filters: readonly RouteFilter[]): Step[] {
  const prefix = matchedPrefix(route);
  return filters.flatMap((filter): Step[] => {
    switch (filter.kind) {
      case "request-headers":
        return [editing(filter)];
      case "response-headers":
        return [];
      case "rewrite":
        return [rewriting(filter.hostname, filter.path, prefix)];
      case "redirect":
        return [redirecting(filter, prefix)];
      case "unsupported":
        return [refusing(new MeshError("invalid_route", `${route.name}: there is no filter ${filter.type}`))];
      default:
        return assertNever(filter);
    }
  });
}

function editing(edits: HeaderEdits): Step {
  return ({ headers }) => {
    editHeaders(headers, edits);
    return true;
  };
}

/** A tunnel and `OPTIONS *` have no path to rewrite. */
function rewriting(hostname: string | undefined, path: PathRewrite | undefined, prefix: string): Step {
  return (exchange) => {
    if (hostname !== undefined) exchange.authority = hostname;
    if (path !== undefined && exchange.path.startsWith("/")) exchange.path = rewriteTarget(exchange.path, path, prefix);
    return true;
  };
}

function redirecting(filter: Extract<RouteFilter, { kind: "redirect" }>, prefix: string): Step {
  return ({ scheme, authority, path: target }, response) => {
    const location = redirectLocation(filter, { scheme, authority, target }, prefix);
    const headers = new HeaderFields(["location", location, "content-length", "0"]);
    response.head({ status: filter.status, headers, bodyless: true });
    response.endResponse();
    return false;
  };
}

function refusing(error: MeshError): Step {
  return (_exchange, response) => {
    response.abortResponse(error);
    return false;
  };
}

class EditedAnswer extends PassThrough {
  readonly #edits: readonly HeaderEdits[];

  constructor(above: ResponseSink, edits: readonly HeaderEdits[]) {
    super(above);
    this.#edits = edits;
  }

  override head(head: ResponseHead): void {
    for (const edits of this.#edits) editHeaders(head.headers, edits);
    super.head(head);
  }
}

/** Restores what it found before anyone above learns how the try went. */
class FilteredTry extends EditedAnswer {
  readonly #exchange: Exchange;
  readonly #headers: HeaderFields;
  readonly #authority: string;
  readonly #path: string;
  #restored = false;

  constructor(exchange: Exchange, above: ResponseSink, edits: readonly HeaderEdits[]) {
    super(above, edits);
    this.#exchange = exchange;
    this.#headers = exchange.headers;
    this.#authority = exchange.authority;
    this.#path = exchange.path;
  }

  through(steps: readonly Step[], next: Service): RequestSink {
    const exchange = this.#exchange;
    exchange.headers = exchange.headers.copy();
    if (take(steps, exchange, this)) this.attach(next(exchange, this));
    return this;
  }

  override head(head: ResponseHead): void {
    this.#restore();
    super.head(head);
  }

  override abortResponse(error: MeshError): void {
    this.#restore();
    super.abortResponse(error);
  }

  override abortRequest(error: MeshError): void {
    this.#restore();
    super.abortRequest(error);
  }

  /** Only once: a late call of a try that was given up must not undo the edits of the next one. */
  #restore(): void {
    if (this.#restored) return;
    this.#restored = true;
    const exchange = this.#exchange;
    exchange.headers = this.#headers;
    exchange.authority = this.#authority;
    exchange.path = this.#path;
  }
}
