/**
 * From YAML's syntax tree to plain JSON values and back to lines.
 *
 * The conversion is ours, not the library's, so that one budget bounds whatever aliases and merge keys multiply (a "billion
 * laughs" costs no more than the budget), and so that a key such as `__proto__` is only a key.
 */

import type { Node, Pair, YAMLMap } from "yaml";
import { type Alias, type Document, isAlias, isMap, isPair, isScalar, isSeq, visit } from "yaml";

/** A document expands to at most this many values. Etcd's limit of 1.5 MiB per object lies far below. */
const maxValues = 100_000;
/** No object of Kubernetes comes near this; a parser's stack does. */
const maxDepth = 100;

/** Why a document is refused although it is well-formed YAML, and where. */
export class YamlRefusal extends Error {
  /** The offset in the text; undefined: the document as a whole. */
  readonly offset: number | undefined;

  constructor(message: string, offset: number | undefined) {
    super(message);
    this.name = "YamlRefusal";
    this.offset = offset;
  }
}

/** The node that each alias of a document stands for: the last one before it with that anchor. */
type Anchors = ReadonlyMap<Alias, Node>;

/** One document, with its aliases resolved once. */
export class YamlTree {
  readonly #root: Node | null;
  readonly #anchors: Anchors;

  /** Throws `YamlRefusal` for an alias without an anchor, or a key given twice. */
  constructor(document: Document) {
    this.#root = document.contents;
    this.#anchors = findAnchors(document);
  }

  /** The whole document as plain values. Throws `YamlRefusal` if it expands or nests beyond the limits. */
  value(): unknown {
    return new Conversion(this.#anchors).convert(this.#root, 0);
  }

  /** The offset in the text of the field at `path` from the root, or of the nearest one above it. */
  offsetOf(path: readonly (string | number)[]): number {
    let node: unknown = this.#root;
    let offset = this.#root?.range?.[0] ?? 0;
    for (const step of path) {
      if (isAlias(node)) node = this.#anchors.get(node);
      let next: unknown;
      if (isMap(node)) {
        const pair = node.items.find((item) => keyOf(item) === String(step));
        next = pair?.value;
        offset = offsetIn(pair?.key) ?? offset;
      } else if (isSeq(node) && typeof step === "number") {
        next = node.items[step];
        offset = offsetIn(next) ?? offset;
      }
      if (next === undefined || next === null) return offset;
      node = next;
    }
    return offset;
  }
}

class Conversion {
  readonly #anchors: Anchors;
  #left = maxValues;

  constructor(anchors: Anchors) {
    this.#anchors = anchors;
  }

  convert(node: unknown, depth: number): unknown {
    if (this.#left-- === 0) throw new YamlRefusal(`expands to more than ${maxValues} values`, offsetIn(node));
    if (depth > maxDepth) throw new YamlRefusal(`nests deeper than ${maxDepth} levels`, offsetIn(node));
    if (isScalar(node)) return node.value;
    if (isAlias(node)) return this.convert(this.#anchors.get(node), depth + 1);
    if (isSeq(node)) return node.items.map((item) => this.convert(item, depth + 1));
    if (isMap(node)) return this.#convertMap(node, depth);
    return null;
  }

  /** Own keys win over merged ones, earlier merges over later ones (https://yaml.org/type/merge.html). */
  #convertMap(map: YAMLMap, depth: number): Record<string, unknown> {
    const record: Record<string, unknown> = {};
    const merged: Record<string, unknown>[] = [];
    for (const pair of map.items) {
      const value = this.convert(pair.value, depth + 1);
      if (keyOf(pair) === "<<") merged.push(...mergeSources(value, pair));
      else define(record, keyOf(pair), value);
    }
    for (const source of merged)
      for (const [key, value] of Object.entries(source)) if (!Object.hasOwn(record, key)) define(record, key, value);
    return record;
  }
}

function mergeSources(value: unknown, pair: Pair): Record<string, unknown>[] {
  const sources: unknown[] = Array.isArray(value) ? value : [value];
  return sources.map((source) => {
    if (typeof source === "object" && source !== null && !Array.isArray(source))
      return source as Record<string, unknown>;
    throw new YamlRefusal("a merge key (<<) takes a mapping or a list of mappings", offsetIn(pair.key));
  });
}

/** Sets a property as a plain value, even if it is called `__proto__`. */
function define(record: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(record, key, { value, enumerable: true, configurable: true, writable: true });
}

function findAnchors(document: Document): Anchors {
  const latest = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Alias(_, alias) {
      const target = latest.get(alias.source);
      if (target === undefined) throw new YamlRefusal(`no anchor &${alias.source} before this alias`, offsetIn(alias));
      targets.set(alias, target);
    },
    Scalar(_, scalar) {
      if (scalar.anchor !== undefined) latest.set(scalar.anchor, scalar);
    },
    Collection(_, collection) {
      if (collection.anchor !== undefined) latest.set(collection.anchor, collection);
      if (isMap(collection)) refuseRepeatedKeys(collection);
    },
  });
  return targets;
}

/** Checked here because the library compares each key with all before it, which is quadratic in the size of a mapping. */
function refuseRepeatedKeys(map: YAMLMap): void {
  const seen = new Set<string>();
  for (const pair of map.items) {
    const key = keyOf(pair);
    if (seen.has(key)) throw new YamlRefusal(`the key ${JSON.stringify(key)} is given twice`, offsetIn(pair.key));
    seen.add(key);
  }
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}

function offsetIn(node: unknown): number | undefined {
  if (isPair(node)) return offsetIn(node.key);
  return isScalar(node) || isAlias(node) || isMap(node) || isSeq(node) ? node.range?.[0] : undefined;
}
