/**
 * One copy of each text that very many objects repeat, such as the names of nodes and zones: each object that is parsed comes
 * with its own.
 */

/** More than a cluster has. Beyond this they are gathered anew, so that names which are gone are not kept for ever. */
const maxTexts = 20_000;

export class SharedTexts {
  readonly #texts = new Map<string, string>();

  /** The same text, but as the object that was seen first. */
  of(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= maxTexts) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}
