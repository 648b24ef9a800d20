/** The pages of an admin port, for any server: they change only what is meant to be changed. */

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** The allowed methods, for an answer to another one. */
  readonly allow?: string;
}

/** The parts of a request that a page may need. */
export interface PageRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** The Host; empty: absent. */
  readonly authority: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Aborted if the client has left before the end of the answer. */
  readonly gone: AbortSignal;
  /** The value of a field other than `host`; its name is in lower case. */
  header(name: string): string | undefined;
}

export type PageMaker<P = Page> = (request: PageRequest) => P | Promise<P>;

export interface Pages<P = Page> {
  /** By path, such as `/metrics`. */
  readonly pages: ReadonlyMap<string, PageMaker<P>>;
  /** The actions of PUT, by path; default: nothing can be changed. */
  readonly changes?: ReadonlyMap<string, PageMaker<P>>;
}

/** A page with one line of text. */
export function plainPage(status: number, line: string): Page {
  return { status, type: "text/plain", text: `${line}\n` };
}

/** Never rejects: a failure becomes a page that reports it. */
export async function answerPage<P>({ pages, changes }: Pages<P>, request: PageRequest): Promise<P | Page> {
  const { method, target } = request;
  const path = target.split("?", 1)[0] ?? "";
  const change = changes?.get(path);
  const page = method === "PUT" ? change : pages.get(path);
  if (method !== "GET" && method !== "HEAD" && (method !== "PUT" || page === undefined)) {
    const allow = change === undefined ? "GET, HEAD" : "GET, HEAD, PUT";
    return { ...plainPage(405, `only ${allow}`), allow };
  }
  if (page === undefined) return plainPage(404, `here are ${[...pages.keys()].join(", ")}`);
  try {
    return await page(request);
  } catch (error) {
    return plainPage(500, error instanceof Error ? error.message : String(error));
  }
}
