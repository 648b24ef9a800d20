/**
 * Tells a circuit breaker how one try went, exactly once: the first call that decides it.
 *
 * HTTP is judged by the response head. gRPC reports its status at the end, but a call that has sent a message is judged a
 * success by then, like an HTTP response that has begun: otherwise a stream lasting hours would be a probe for hours.
 */

import type { Permit } from "../../model/circuit-breaker.ts";
import type { MeshError } from "../../model/errors.ts";
import { concernsEndpoint, failureOf } from "../../model/failure-of.ts";
import type { FailureKind } from "../../model/policy.ts";
import type { TryOutcome } from "../../model/try-outcome.ts";
import type { ResponseHead } from "../net/exchange.ts";
import type { HeaderFields } from "../net/header-fields.ts";
import { grpcStatusIn } from "../policy/grpc.ts";

export class Judgement {
  readonly #failures: readonly FailureKind[];
  readonly #grpc: boolean;
  #permit: Permit | undefined;
  #head: ResponseHead | undefined;

  constructor(permit: Permit, failures: readonly FailureKind[], grpc: boolean) {
    this.#permit = permit;
    this.#failures = failures;
    this.#grpc = grpc;
  }

  head(head: ResponseHead): void {
    this.#head = head;
    const grpcStatus = grpcStatusIn(head.headers);
    if (!this.#grpc || head.status !== 200 || grpcStatus !== undefined) this.#settle(answered(head, grpcStatus));
  }

  /** A chunk of the body arrived. */
  begun(): void {
    if (this.#head !== undefined && this.#permit !== undefined) this.#settle(answered(this.#head, undefined));
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#head !== undefined) this.#settle(answered(this.#head, grpcStatusIn(trailers)));
  }

  fail(error: MeshError): void {
    if (!concernsEndpoint(error.code)) return this.#giveBack();
    this.#settle({ kind: "failure", code: error.code, processed: error.processed });
  }

  /** The caller no longer waits. That is the endpoint's failure only if one of the mesh's own limits ran out. */
  abandon(error: MeshError): void {
    if (failureOf({ kind: "failure", code: error.code, processed: error.processed }, timeouts) !== undefined) {
      return this.fail(error);
    }
    this.#giveBack();
  }

  #giveBack(): void {
    this.#permit?.abandon();
    this.#permit = undefined;
  }

  #settle(outcome: TryOutcome): void {
    const permit = this.#permit;
    this.#permit = undefined;
    if (permit === undefined) return;
    if (failureOf(outcome, this.#failures) === undefined) permit.succeed();
    else permit.fail();
  }
}

const timeouts: readonly FailureKind[] = ["timeout"];

function answered(head: ResponseHead, grpcStatus: number | undefined): TryOutcome {
  const answer = { kind: "answer", status: head.status, retriedBelow: false } as const;
  return grpcStatus === undefined ? answer : { ...answer, grpcStatus };
}
