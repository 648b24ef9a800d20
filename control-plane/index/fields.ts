/**
 * A cursor over unchecked values that collects what is wrong with them. It is for Kubernetes' own kinds, of which the mesh
 * reads a few fields and ignores the rest. A field that is present must have the right type; an absent one is undefined.
 */

import type { FieldError } from "../../model/result.ts";
import { describe, fieldPath, isRecord, stringMap } from "../source/kube-object.ts";

export class Fields {
  readonly path: string;
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #errors: FieldError[];

  constructor(value: unknown, path: string, errors: FieldError[]) {
    this.path = path;
    this.#errors = errors;
    this.#value = isRecord(value) ? value : {};
    if (value !== undefined && value !== null && !isRecord(value)) this.refuse("", `must be a mapping`, value);
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  child(key: string): Fields {
    return new Fields(this.#get(key), fieldPath(this.path, key), this.#errors);
  }

  children(key: string): Fields[] {
    const list = this.#get(key);
    if (list === undefined) return [];
    if (!Array.isArray(list)) {
      this.refuse(key, "must be a list", list);
      return [];
    }
    return list.map((item, index) => new Fields(item, `${fieldPath(this.path, key)}[${index}]`, this.#errors));
  }

  string(key: string): string | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === "string") return value;
    return this.refuse(key, "must be a string", value);
  }

  strings(key: string): string[] | undefined {
    const list = this.#get(key);
    if (list === undefined) return undefined;
    if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list;
    return this.refuse(key, "must be a list of strings", list);
  }

  boolean(key: string): boolean | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === "boolean") return value;
    return this.refuse(key, "must be true or false", value);
  }

  integer(key: string, least: number, most: number): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    return this.refuse(key, `must be a whole number from ${least} to ${most}`, value);
  }

  /** A port by number, or by its name in a container. */
  portOrName(key: string): number | string | undefined {
    const value = this.#get(key);
    if (typeof value === "string") {
      if (/[a-z]/.test(value)) return value;
      return this.refuse(key, "must be a number without quotes, or the name of a port", value);
    }
    return value === undefined ? undefined : this.integer(key, 1, 65_535);
  }

  stringMap(key: string): ReadonlyMap<string, string> {
    return stringMap(this.#get(key), fieldPath(this.path, key), this.#errors);
  }

  /** Records an error: what is allowed, and what was found. An empty key means the value at this cursor itself. */
  refuse(key: string, allowed: string, value: unknown): undefined {
    const path = key === "" ? this.path : fieldPath(this.path, key);
    this.#errors.push({ path, message: `${allowed}, got ${describe(value)}` });
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#value, key) ? (this.#value[key] ?? undefined) : undefined;
  }
}
