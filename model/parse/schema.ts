/**
 * A small language for user input. One definition does two things: it reads a value, collecting every error with its path, and
 * it produces the structural OpenAPI schema that a CustomResourceDefinition needs for the same value.
 *
 * It knows nothing of any resource; the definitions are in the files beside it.
 */

import { err, type FieldError, ok, type Result } from "../result.ts";
import { suggest } from "./suggest.ts";

/** Plain JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A structural schema as in https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ */
export type OpenApiSchema = { readonly [keyword: string]: Json };

/** The position of a value in the object, and where errors about it are collected. */
export class Place {
  readonly path: string;
  readonly #errors: FieldError[];

  constructor(path: string, errors: FieldError[]) {
    this.path = path;
    this.#errors = errors;
  }

  field(name: string): Place {
    const step = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
    return new Place(this.path === "" ? step.replace(/^\./, "") : this.path + step, this.#errors);
  }

  item(index: number): Place {
    return new Place(`${this.path}[${index}]`, this.#errors);
  }

  /** Returns undefined, so that a reader can `return at.fail(…)`. */
  fail(message: string): undefined {
    this.#errors.push({ path: this.path, message });
    return undefined;
  }

  get errorCount(): number {
    return this.#errors.length;
  }
}

/** A rule across the fields of a value. */
export interface Rule<T> {
  /** The same in CEL (https://kubernetes.io/docs/reference/using-api/cel/), for the API server. */
  readonly cel: string;
  /** One sentence for the API server to show; it can't include the values. */
  readonly says: string;
  /** The field that gets the error. */
  readonly field: string;
  /** Returns the error, or undefined. */
  readonly find: (value: T) => string | undefined;
}

interface SchemaOptions<T> {
  /** The meaning of an absent or null value; without this, it is an error. */
  readonly absent?: { readonly value: T };
  /**
   * The inverse of reading, to show defaults. A method, so that a schema of a narrower type can be used as one of a wider type.
   */
  write?(value: NonNullable<T>): Json;
}

export class Schema<T> {
  readonly openApi: OpenApiSchema;
  readonly #read: (value: unknown, at: Place) => T | undefined;
  readonly #options: SchemaOptions<T>;

  /** `read` returns undefined after it has reported an error. */
  constructor(
    openApi: OpenApiSchema,
    read: (value: unknown, at: Place) => T | undefined,
    options: SchemaOptions<T> = {},
  ) {
    this.openApi = openApi;
    this.#read = read;
    this.#options = options;
  }

  get required(): boolean {
    return this.#options.absent === undefined;
  }

  /** The value, or undefined if it is absent or an error was reported. */
  read(value: unknown, at: Place): T | undefined {
    if (value !== undefined && value !== null) return this.#read(value, at);
    const { absent } = this.#options;
    return absent === undefined ? at.fail("is required") : absent.value;
  }

  /** Reads a whole value, from its root. */
  parse(value: unknown, path = ""): Result<T, FieldError[]> {
    const errors: FieldError[] = [];
    const read = this.read(value, new Place(path, errors));
    return errors.length > 0 ? err(errors) : ok(read as T);
  }

  optional(): Schema<T | undefined> {
    return new Schema<T | undefined>(this.openApi, this.#read, { absent: { value: undefined } });
  }

  /** Adds a default. It is shown in the description, but not applied by the API server: objects stay as they were written. */
  or(value: T): Schema<T> {
    const { description = "" } = this.openApi;
    const says = `${description as string}${this.#describeDefault(value)}`.trim();
    const openApi = says === "" ? this.openApi : { ...this.openApi, description: says };
    return new Schema<T>(openApi, this.#read, { ...this.#options, absent: { value } });
  }

  /** Adds one plain sentence for `kubectl explain`. */
  describe(description: string): Schema<T> {
    return new Schema<T>({ ...this.openApi, description }, this.#read, this.#options);
  }

  /**
   * Converts a value that was read without an error. `make` returns undefined after it has reported one. As with `check`, set
   * the meaning of an absent value afterwards.
   */
  map<U>(make: (value: T, at: Place) => U | undefined): Schema<U> {
    this.#mustNotBeAbsent();
    return new Schema<U>(this.openApi, (value, at) => {
      const errorsBefore = at.errorCount;
      const read = this.read(value, at);
      return at.errorCount > errorsBefore ? undefined : make(read as T, at);
    });
  }

  check(rule: Rule<T>): Schema<T> {
    this.#mustNotBeAbsent();
    const validation = { rule: rule.cel, fieldPath: `.${rule.field}`, message: rule.says };
    const others = this.openApi["x-kubernetes-validations"];
    const validations = Array.isArray(others) ? [...(others as readonly Json[]), validation] : [validation];
    return new Schema<T>({ ...this.openApi, "x-kubernetes-validations": validations }, (value, at) => {
      const errorsBefore = at.errorCount;
      const read = this.read(value, at);
      if (at.errorCount > errorsBefore) return undefined;
      const problem = rule.find(read as T);
      return problem === undefined ? read : at.field(rule.field).fail(problem);
    });
  }

  #mustNotBeAbsent(): void {
    if (!this.required) throw new Error("a schema is mapped and checked before `or` and `optional`");
  }

  /** Empty for objects, whose fields show their own defaults, and for empty lists. */
  #describeDefault(value: T): string {
    if (value === undefined || value === null) return "";
    const written: unknown = this.#options.write?.(value) ?? value;
    if (Array.isArray(written)) return written.length === 0 ? "" : ` Default: ${written.join(", ")}.`;
    if (typeof written === "object") return "";
    return ` Default: ${typeof written === "string" ? written : JSON.stringify(written)}.`;
  }
}

type Shape = Readonly<Record<string, Schema<unknown>>>;
type Fields<S extends Shape> = { readonly [K in keyof S]: S[K] extends Schema<infer T> ? T : never };

/** An object with these fields and no others. */
export function object<const S extends Shape>(shape: S): Schema<Fields<S>> {
  const fields = Object.entries(shape);
  const known = fields.filter(([, schema]) => schema.openApi !== nothing);
  const names = known.map(([name]) => name);
  const openApi: OpenApiSchema = {
    type: "object",
    properties: Object.fromEntries(known.map(([name, schema]) => [name, schema.openApi])),
    ...given({ required: nonEmpty(fields.filter(([, schema]) => schema.required).map(([name]) => name)) }),
  };
  return new Schema<Fields<S>>(openApi, (value, at) => {
    if (!isRecord(value)) return at.fail(`must be an object, got ${show(value)}`);
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(shape, name)) at.field(name).fail(unknown("unknown field", name, names));
    }
    const read = fields.map(([name, schema]) => {
      const own = Object.hasOwn(value, name) ? value[name] : undefined;
      return [name, schema.read(own, at.field(name))] as const;
    });
    return Object.fromEntries(read) as Fields<S>;
  });
}

interface ListOptions<T> {
  readonly min?: number;
  readonly max: number;
  /** Returns the part in which any two items must differ, as text for the error. */
  readonly unique?: (item: T) => string;
}

export function list<T>(item: Schema<T>, options: ListOptions<T>): Schema<readonly T[]> {
  const { min = 0, max, unique } = options;
  const openApi = {
    type: "array",
    items: item.openApi,
    ...(min > 0 && { minItems: min }),
    maxItems: max,
    // For lists of objects, a schema can't express what must differ.
    ...(unique !== undefined && item.openApi["type"] !== "object" && { "x-kubernetes-list-type": "set" }),
  };
  return new Schema<readonly T[]>(openApi, (value, at) => {
    if (!Array.isArray(value)) return at.fail(`must be a list, got ${show(value)}`);
    if (value.length < min)
      return at.fail(`must have at least ${min} ${min === 1 ? "item" : "items"}, got ${value.length}`);
    if (value.length > max) return at.fail(`must have at most ${max} items, got ${value.length}`);
    const errorsBefore = at.errorCount;
    const items = value.map((one: unknown, index) => item.read(one, at.item(index))) as T[];
    if (at.errorCount === errorsBefore && unique !== undefined) refuseDoubles(items.map(unique), at);
    return items;
  });
}

function refuseDoubles(keys: readonly string[], at: Place): void {
  const first = new Map<string, number>();
  for (const [index, key] of keys.entries()) {
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, index);
    else at.item(index).fail(`${key} is given twice, see ${at.path}[${earlier}]`);
  }
}

/** An object with arbitrary names and values of one type. */
export function map<T>(
  name: Schema<string>,
  item: Schema<T>,
  { max }: { max: number },
): Schema<ReadonlyMap<string, T>> {
  const openApi = { type: "object", additionalProperties: item.openApi, maxProperties: max };
  return new Schema<ReadonlyMap<string, T>>(openApi, (value, at) => {
    if (!isRecord(value)) return at.fail(`must be an object, got ${show(value)}`);
    const entries = Object.entries(value);
    if (entries.length > max) return at.fail(`must have at most ${max} entries, got ${entries.length}`);
    return new Map(
      entries.map(([key, one]) => [name.read(key, at.field(key)) ?? key, item.read(one, at.field(key)) as T]),
    );
  });
}

/** Maps the users' words to ours: `a`, `b` and `c` are written as `A`, `B` and `C`. */
export function oneOf<const V extends string>(values: Readonly<Record<string, V>> | readonly V[]): Schema<V> {
  const byName = new Map<string, V>(isList(values) ? values.map((value) => [value, value]) : Object.entries<V>(values));
  const names = [...byName.keys()];
  return new Schema<V>(
    { type: "string", enum: names },
    (value, at) => {
      if (typeof value !== "string") return at.fail(`must be one of ${names.join(", ")}, got ${show(value)}`);
      return (
        byName.get(value) ?? at.fail(unknown(`must be one of ${names.join(", ")}, got ${show(value)}`, value, names))
      );
    },
    { write: (value) => names.find((name) => byName.get(name) === value) ?? value },
  );
}

const nothing: OpenApiSchema = {};

/** A field that must not be given, for the reason in `message`: better than "unknown field" where many would try. */
export function refused(message: string): Schema<undefined> {
  return new Schema<undefined>(nothing, (_, at) => at.fail(message), { absent: { value: undefined } });
}

/** An object without its undefined fields. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A value as an error quotes it: short, on one line. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "number" ? `${value}` : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function unknown(complaint: string, name: string, known: readonly string[]): string {
  const nearest = suggest(name, known);
  if (nearest !== undefined) return `${complaint}, did you mean ${nearest}?`;
  return complaint.startsWith("unknown") ? `${complaint}, known are ${known.join(", ")}` : complaint;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList<V>(values: object | readonly V[]): values is readonly V[] {
  return Array.isArray(values);
}

function nonEmpty<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length > 0 ? items : undefined;
}
