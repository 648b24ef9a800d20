/** The `tulle-*` header fields: removed from what comes from outside, read where they may be set, and set again. */

import type { Clock } from "../../model/clock.ts";
import { formatRemaining, parseRemaining } from "../../model/deadline.ts";
import type { Layer, ResponseHead } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { PassThrough } from "../net/pass-through.ts";
import { isGrpc } from "./grpc.ts";

/**
 * Reads the caller's deadline (`grpc-timeout`, else `tulle-deadline`: a sender can only shorten what policy allows), then
 * removes every field of the mesh's own, so that nobody outside can set one.
 */
export function takeOwnFields(clock: Clock): Layer {
  return (next) => (exchange, response) => {
    const { headers } = exchange;
    const given = isGrpc(exchange) ? headers.get("grpc-timeout") : headers.get("tulle-deadline");
    const remainingMs = given === undefined ? undefined : parseRemaining(given);
    if (remainingMs !== undefined) exchange.deadlineAtMs = clock.now() + remainingMs;
    dropOwnFields(headers);
    return next(exchange, response);
  };
}

/** Reads which try this is, as the peer's sidecar says. The application is not asked: it could lie. */
export function takeAttempt(): Layer {
  return (next) => (exchange, response) => {
    const attempt = exchange.headers.get("tulle-attempt");
    if (attempt !== undefined && /^[1-9][0-9]{0,4}$/.test(attempt)) exchange.callerAttempt = Number(attempt);
    return next(exchange, response);
  };
}

/** Tells the next hop how much time is left. */
export function carryDeadline(clock: Clock): Layer {
  // First tries usually leave in the turn of the event loop in which they arrived, with all of their policy's time.
  let lastMs = 0;
  let lastText = formatRemaining(lastMs);
  return (next) => (exchange, response) => {
    const remainingMs = exchange.deadlineAtMs - clock.now();
    if (remainingMs !== Number.POSITIVE_INFINITY) {
      if (remainingMs !== lastMs) lastText = formatRemaining(remainingMs);
      lastMs = remainingMs;
      exchange.headers.set(isGrpc(exchange) ? "grpc-timeout" : "tulle-deadline", lastText);
    }
    return next(exchange, response);
  };
}

/** Tells the application who calls: the SPIFFE id of the caller's certificate. */
export function identifyCaller(): Layer {
  return (next) => (exchange, response) => {
    if (exchange.peer !== undefined) exchange.headers.set("tulle-client-id", exchange.peer);
    return next(exchange, response);
  };
}

/** For destinations outside the mesh: they get none of the mesh's own fields, and theirs are not taken for the mesh's. */
export function withholdOwnFields(): Layer {
  return (next) => (exchange, response) => {
    dropOwnFields(exchange.headers);
    const distrusted = new Distrusted(response);
    distrusted.attach(next(exchange, distrusted));
    return distrusted;
  };
}

class Distrusted extends PassThrough {
  override informational(head: ResponseHead): void {
    dropOwnFields(head.headers);
    super.informational(head);
  }

  override head(head: ResponseHead): void {
    dropOwnFields(head.headers);
    super.head(head);
  }
}

/** For responses: a `tulle-error` or `tulle-retried` set by an application is not the mesh's. */
export function dropOwnFields(headers: HeaderFields): void {
  headers.removeWhere(isOwn);
}

/**
 * Called for each field of each head: few begin with a `t`, which is checked without a call. Applications that get their fields
 * as variables (CGI, WSGI) read `tulle_client_id` as `tulle-client-id`, so neither may come from outside.
 */
function isOwn(name: string): boolean {
  return name.charCodeAt(0) === letterT && (name.startsWith("tulle-") || name.startsWith("tulle_"));
}

const letterT = 0x74;
