/** Values that a structural schema admits, and values with one thing wrong, generated from a seed. */

import type { Random } from "../../model/clock.ts";
import type { Json, OpenApiSchema } from "../../model/parse/schema.ts";

/** Words with a meaning somewhere in a policy; each field uses those that its pattern admits. */
const words: readonly string[] = [
  ["a", "catalog", "shop", "x-user", "session", "POST", "cluster.local", "http", "80"],
  ["/", "/api", "/api/[0-9]+", "(a", "spiffe://cluster.local/ns/shop/sa/web"],
  ["0s", "10ms", "100ms", "1s", "5s", "30s", "1m", "1h", "24h", "25h", "99999h"],
  ["2030-01-01T00:00:00Z", "2030-01-01", "", "Ä", "x".repeat(300)],
].flat();

export class SchemaValues {
  readonly #random: Random;
  /** How many nodes from here a value is spoilt; undefined: none is. */
  #spoilIn: number | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A value that the schema's own keywords admit; its CEL rules may or may not hold. */
  good(schema: OpenApiSchema): Json {
    this.#spoilIn = undefined;
    return this.#value(schema);
  }

  /** A value with something wrong in it, if it is large enough. */
  bad(schema: OpenApiSchema): Json {
    this.#spoilIn = this.#below(8);
    return this.#value(schema);
  }

  #value(schema: OpenApiSchema): Json {
    if (this.#spoilIn !== undefined && this.#spoilIn-- === 0) return this.#wrong(schema);
    const { enum: values } = schema;
    if (Array.isArray(values)) return this.#oneOf(values as readonly Json[]);
    switch (typeOf(schema)) {
      case "object":
        return this.#object(schema);
      case "array":
        return this.#list(schema);
      case "boolean":
        return this.#random() < 0.5;
      case "integer":
      case "number":
        return this.#number(schema);
      default:
        return this.#oneOf(words.filter((word) => admits(schema, word)));
    }
  }

  #object({ properties, required, additionalProperties }: OpenApiSchema): Json {
    const needed = Array.isArray(required) ? (required as readonly Json[]) : [];
    const fields = Object.entries(schemasOf(properties)).filter(
      ([name]) => needed.includes(name) || this.#random() < 0.4,
    );
    const own = fields.map(([name, field]) => [name, this.#value(field)] as const);
    if (additionalProperties === undefined) return Object.fromEntries(own);
    return { ...Object.fromEntries(own), key: this.#value(additionalProperties as OpenApiSchema) };
  }

  #list({ items, minItems, maxItems }: OpenApiSchema): Json {
    const least = Number(minItems ?? 0);
    const length = Math.min(least + this.#below(3), Number(maxItems ?? 3));
    return Array.from({ length }, () => this.#value(items as OpenApiSchema));
  }

  #number({ minimum = 0, maximum = 100 }: OpenApiSchema): Json {
    const [least, most] = [Number(minimum), Number(maximum)];
    return this.#oneOf([least, most, Math.min(most, least + 1), Math.min(most, least + 10)]);
  }

  #wrong(schema: OpenApiSchema): Json {
    switch (typeOf(schema)) {
      case "object": {
        const value = this.#object(schema);
        return this.#oneOf<Json>([{ ...(value as object), misspelt: 1 }, {}, "text", []]);
      }
      case "array":
        return this.#oneOf<Json>(["text", {}, Array.from({ length: Number(schema["maxItems"] ?? 0) + 1 }, () => "a")]);
      case "boolean":
        return this.#oneOf<Json>(["true", 1]);
      case "integer":
        return this.#oneOf<Json>([Number(schema["minimum"] ?? 0) - 1, Number(schema["maximum"] ?? 0) + 1, 1.5, "1"]);
      case "number":
        return this.#oneOf<Json>([Number(schema["minimum"] ?? 0) - 0.5, Number(schema["maximum"] ?? 0) + 0.5, "1"]);
      default:
        return this.#oneOf<Json>([...words, 1, true, {}, ["a"]]);
    }
  }

  #oneOf<T>(values: readonly T[]): T {
    const value = values[this.#below(values.length)];
    if (value === undefined) throw new Error("nothing to choose from");
    return value;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }
}

function typeOf({ type }: OpenApiSchema): string {
  return typeof type === "string" ? type : "";
}

function schemasOf(properties: Json | undefined): Readonly<Record<string, OpenApiSchema>> {
  return (properties ?? {}) as Readonly<Record<string, OpenApiSchema>>;
}

function admits(
  { pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: OpenApiSchema,
  word: string,
): boolean {
  if (word.length < Number(minLength) || word.length > Number(maxLength)) return false;
  return typeof pattern !== "string" || new RegExp(pattern).test(word);
}
