/**
 * Admits or refuses by the access policies of the request's port. Opaque connections (CONNECT) are judged by their caller
 * alone, once, when they are opened. The decision itself is `model/access.ts`.
 */

import { AccessTable, type AccessVerdict } from "../../model/access.ts";
import { MeshError } from "../../model/errors.ts";
import { pathOf } from "../../model/path.ts";
import type { NamedAccessRules } from "../../model/policy.ts";
import type { Exchange, Layer } from "../net/exchange.ts";
import { nowhere } from "../net/pass-through.ts";

export interface AccessCounts {
  /** `policy`: the deny that matched; empty: there are allows, and none matched; `mtls`: plaintext is not accepted. */
  refused(policy: string): void;
  /** A policy in audit mode would have refused the request. */
  wouldRefuse(policy: string): void;
}

export interface AuthorizeOptions {
  /** The mesh's own trust domain. */
  readonly trustDomain: string;
  readonly counts: AccessCounts;
}

export function authorize({ trustDomain, counts }: AuthorizeOptions): Layer {
  /** Created once per update, because each update brings new lists. */
  const tables = new WeakMap<readonly NamedAccessRules[], AccessTable>();
  const tableOf = (access: readonly NamedAccessRules[]): AccessTable => {
    const known = tables.get(access);
    if (known !== undefined) return known;
    const table = new AccessTable(access, trustDomain);
    tables.set(access, table);
    return table;
  };
  return (next) => (exchange, response) => {
    const { target } = exchange;
    if (target === undefined) throw new Error("a request was to be authorized without a target");
    // Redirected plaintext was reset earlier; what arrives in the clear in any other way is refused here.
    if (target.mtls === "strict" && exchange.peer === undefined) {
      counts.refused("mtls");
      response.abortResponse(new MeshError("forbidden", "It came in plaintext.", { processed: "unprocessed" }));
      return nowhere;
    }
    if (target.access === undefined) return next(exchange, response);
    const verdict = decide(tableOf(target.access), exchange);
    if (verdict.kind === "admitted") {
      if (verdict.wouldRefuse !== undefined) counts.wouldRefuse(verdict.wouldRefuse);
      return next(exchange, response);
    }
    if (verdict.kind === "refused") counts.refused(verdict.by ?? "");
    response.abortResponse(errorOf(verdict, exchange));
    return nowhere;
  };
}

function decide(table: AccessTable, { peer, method, path }: Exchange): AccessVerdict {
  if (method === "CONNECT") return table.decide({ peer });
  return table.decide({ peer, http: { method, path: pathOf(path) } });
}

/** The caller learns who it was taken for, but not which policy refused it: that is in the server's own metrics. */
function errorOf(verdict: Exclude<AccessVerdict, { kind: "admitted" }>, { peer }: Exchange): MeshError {
  switch (verdict.kind) {
    case "refused":
      return new MeshError("forbidden", peer === undefined ? "It has no identity." : `It is ${peer}.`, {
        processed: "unprocessed",
      });
    case "ambiguous-path":
      return new MeshError("path_ambiguous", "Its plain form is expected.", { processed: "unprocessed" });
  }
}
