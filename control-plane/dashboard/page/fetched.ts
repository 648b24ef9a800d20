import { useEffect, useState } from "preact/hooks";

export type Fetched<T> =
  | { readonly kind: "waiting" }
  | { readonly kind: "gone" }
  | { readonly kind: "here"; readonly value: T };

/** Fetches a path from the control plane: again for each new path, and whenever `again` changes. */
export function useFetched<T>(path: string, again: unknown): Fetched<T> {
  const [fetched, setFetched] = useState<Fetched<T> & { readonly path: string }>({ kind: "waiting", path });
  useEffect(() => {
    const leaving = new AbortController();
    fetch(path, { signal: leaving.signal })
      .then(async (answer) => {
        if (answer.ok) setFetched({ kind: "here", value: (await answer.json()) as T, path });
        else setFetched({ kind: "gone", path });
      })
      // Not reachable: the head of the page says so already, and what was shown stays.
      .catch(() => undefined);
    return () => leaving.abort();
  }, [path, again]);
  return fetched.path === path ? fetched : { kind: "waiting" };
}
