/**
 * Which blocks of the sources ran, as V8 counts them (Profiler.takePreciseCoverage), of functions that were compiled since: so
 * it begins before an input has run. In optimised code too: what it had not reached by then, it leaves to be reached slowly.
 */

import { type Profiler, Session } from "node:inspector";

/** A source's function, and which of its characters ran: `painted` has a 1 for each. */
interface Painted {
  readonly name: string;
  readonly painted: Uint8Array;
}

export class BlockCoverage {
  readonly #session = new Session();
  readonly #sources: readonly string[];
  readonly #reached = new Map<string, Uint8Array>();

  constructor(sources: readonly string[]) {
    this.#sources = sources;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Characters of the sources that have run so far. */
  get reachedCharacters(): number {
    let sum = 0;
    for (const painted of this.#reached.values()) for (const ran of painted) sum += ran;
    return sum;
  }

  /** Forgets what ran since the last look: it was not an input. */
  skip(): void {
    this.#take();
  }

  /** Whether what ran since the last look reached anything for the first time. `keep`: from now on that is no news. */
  look(keep: boolean): boolean {
    let news = false;
    for (const { name, painted } of this.#take()) {
      const reached = this.#reached.get(name) ?? new Uint8Array(painted.length);
      for (let i = 0; i < painted.length; i++) {
        if (painted[i] === 0 || reached[i] === 1) continue;
        news = true;
        if (keep) reached[i] = 1;
      }
      if (keep) this.#reached.set(name, reached);
    }
    return news;
  }

  #take(): Painted[] {
    let result: Profiler.ScriptCoverage[] = [];
    this.#session.post("Profiler.takePreciseCoverage", (error, taken) => {
      if (error !== null) throw error;
      ({ result } = taken);
    });
    return result
      .filter(({ url }) => this.#sources.some((source) => url.includes(source)))
      .flatMap(({ url, functions }) => functions.map((each) => paint(url, each)));
  }
}

/** V8 names nested ranges, the outer ones first; the innermost says whether a character ran. */
function paint(url: string, { ranges }: Profiler.FunctionCoverage): Painted {
  const { startOffset: base, endOffset: end } = ranges[0] as Profiler.CoverageRange;
  const painted = new Uint8Array(end - base);
  for (const { startOffset, endOffset, count } of ranges)
    painted.fill(count > 0 ? 1 : 0, startOffset - base, endOffset - base);
  return { name: `${url} ${base}`, painted };
}
