/** Expected failure as a value. */

/** What is wrong with one field of an object that a user wrote. */
export interface FieldError {
  /** Where, from the object's root: `spec.backends[1].weight`. */
  readonly path: string;
  /** What is allowed and what was there: `must be at least 0, got -1`. */
  readonly message: string;
}

export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): Result<T, never> {
  return { ok: true, value };
}

export function err<E>(error: E): Result<never, E> {
  return { ok: false, error };
}

/** Ends an exhaustive switch: a case that was forgotten fails to compile. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
