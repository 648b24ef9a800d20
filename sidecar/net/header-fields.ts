/**
 * The fields of one header or trailer section, in the order received: both codecs produce it, layers read and edit it.
 *
 * Names are lower case. Values are latin1 strings, one code unit an octet, so that what arrives is what leaves.
 * A flat array, no map: a section has about ten fields, and a name like `__proto__` is nothing special in an array.
 */
export class HeaderFields {
  /** name, value, name, value … Codecs may read and append; everyone else uses the methods. */
  readonly flat: string[];
  /** Names whose values the sender wants in no compression table, hop after hop (RFC 7541 §7.1.3). */
  sensitive: readonly string[] | undefined;

  constructor(flat: string[] = []) {
    this.flat = flat;
  }

  get count(): number {
    return this.flat.length >> 1;
  }

  /** The first value of a field; its other values, if any, are reached with `all`. */
  get(name: string): string | undefined {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  all(name: string): string[] {
    const flat = this.flat;
    const values: string[] = [];
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) values.push(flat[i + 1] as string);
    return values;
  }

  /** Whether a field came more than once. */
  hasSeveral(name: string): boolean {
    const flat = this.flat;
    let found = 0;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) found++;
    return found > 1;
  }

  append(name: string, value: string): void {
    this.flat.push(name, value);
  }

  /** Replaces all values of a field by one. */
  set(name: string, value: string): void {
    this.remove(name);
    this.append(name, value);
  }

  remove(name: string): void {
    if (this.has(name)) this.removeWhere((field) => field === name);
  }

  removeWhere(goes: (name: string) => boolean): void {
    const flat = this.flat;
    let kept = 0;
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string;
      if (goes(name)) continue;
      if (kept < i) {
        flat[kept] = name;
        flat[kept + 1] = flat[i + 1] as string;
      }
      kept += 2;
    }
    while (flat.length > kept) flat.pop(); // setting `length` is a call into V8's runtime
  }

  copy(): HeaderFields {
    const copy = new HeaderFields(this.flat.slice());
    copy.sensitive = this.sensitive;
    return copy;
  }

  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let i = 0; i < this.flat.length; i += 2) yield [this.flat[i] as string, this.flat[i + 1] as string];
  }
}
