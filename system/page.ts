/** The pages of an admin port, whatever server carries them: they change nothing but what they are told may be changed. */

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** The methods that it takes, for whoever came with another. */
  readonly allow?: string;
}

/** As much of a request as a page may want to know. */
export interface PageRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** The Host; empty: none was named. */
  readonly authority: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Aborted: whoever asked has left before the end of the answer. */
  readonly gone: AbortSignal;
  /** Of another field than `host`, in lower case. */
  header(name: string): string | undefined;
}

export type PageMaker<P = Page> = (request: PageRequest) => P | Promise<P>;

export interface Pages<P = Page> {
  /** By path, `/metrics`. */
  readonly pages: ReadonlyMap<string, PageMaker<P>>;
  /** What PUT does, by path; default: nothing can be changed. */
  readonly changes?: ReadonlyMap<string, PageMaker<P>>;
}

/** One line of text. */
export function plainPage(status: number, line: string): Page {
  return { status, type: "text/plain", text: `${line}\n` };
}

/** Never rejects: what fails becomes a page that says so. */
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
