/**
 * A client's account: every request has a number, and is counted once, when it is known what became of it. Who reads it can
 * tell that nothing is missing: what was sent is what was answered and what is under way.
 */

/** The numbers of one kind of request, from 1. */
class Numbers {
  #last = 0;
  readonly #underWay = new Set<number>();

  begin(): number {
    this.#last += 1;
    this.#underWay.add(this.#last);
    return this.#last;
  }

  /** False: it was over before. */
  end(number: number): boolean {
    return this.#underWay.delete(number);
  }

  get sent(): number {
    return this.#last;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** All up to this one are over. */
  get settledTo(): number {
    const [first = this.#last + 1] = this.#underWay;
    return first - 1;
  }
}

const all = new Numbers();
const posts = new Numbers();
const answers = new Map<string, number>();
const firstSeen = new Map<string, number>();
/** POSTs that the mesh says were not processed, and those of which nobody has said what became of them. */
const [refused, unsure]: [number[], number[]] = [[], []];
let lastFailure = "";

function count(outcome: string, says = ""): void {
  answers.set(outcome, (answers.get(outcome) ?? 0) + 1);
  if (!firstSeen.has(outcome)) firstSeen.set(outcome, Date.now());
  if (!outcome.startsWith("200")) lastFailure = `${new Date().toISOString()} ${outcome} ${says}`.trim();
}

/** What became of a request: `200 …`, else a failure's name and what was said of it. Only the first of a request's counts. */
export type Settle = (outcome: string, says?: string) => void;

export function begin(): Settle {
  const number = all.begin();
  return (outcome, says) => {
    if (all.end(number)) count(outcome, says);
  };
}

/** A POST has a number of its own, by which the other end counts it. */
export function beginPost(): { readonly number: number; readonly settle: Settle } {
  const [number, settle] = [posts.begin(), begin()];
  return {
    number,
    settle: (outcome, says) => {
      settle(outcome, says);
      if (!posts.end(number) || outcome.startsWith("200")) return;
      (isRefusal(outcome) ? refused : unsure).push(number);
    },
  };
}

/** By the mesh itself: with 503 it says that the application has not seen the request. */
function isRefusal(outcome: string): boolean {
  return /^POST 503 \w/.test(outcome);
}

export function isSettled(): boolean {
  return all.underWay === 0;
}

export function print(): void {
  const account = {
    name: process.env["HOSTNAME"] ?? "",
    sent: all.sent,
    underWay: all.underWay,
    settledTo: all.settledTo,
    answers: Object.fromEntries(answers),
    firstSeen: Object.fromEntries(firstSeen),
    lastFailure,
    posts: { settledTo: posts.settledTo, refused, unsure },
  };
  console.log(JSON.stringify(account));
}
