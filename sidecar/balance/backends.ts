/** The backends that destinations name. Each is followed once, and dropped when no destination names it any more. */

import type { Endpoints } from "../../model/resources.ts";
import { Backend, type BackendOptions } from "./backend.ts";

export type FollowEndpoints = (name: string, apply: (endpoints: Endpoints | undefined) => void) => () => void;

export class Backends {
  readonly #follow: FollowEndpoints;
  readonly #options: BackendOptions;
  readonly #backends = new Map<string, { readonly backend: Backend; readonly unfollow: () => void }>();

  constructor(follow: FollowEndpoints, options: BackendOptions) {
    this.#follow = follow;
    this.#options = options;
  }

  get(name: string): Backend {
    const known = this.#backends.get(name);
    if (known !== undefined) return known.backend;
    const backend = new Backend(name, this.#options);
    this.#backends.set(name, { backend, unfollow: this.#follow(name, (endpoints) => backend.apply(endpoints)) });
    return backend;
  }

  get all(): Backend[] {
    return Array.from(this.#backends.values(), ({ backend }) => backend);
  }

  /** Drops all other backends. */
  retain(names: ReadonlySet<string>): void {
    for (const [name, { backend, unfollow }] of this.#backends) {
      if (names.has(name)) continue;
      unfollow();
      backend.close();
      this.#backends.delete(name);
    }
  }
}
