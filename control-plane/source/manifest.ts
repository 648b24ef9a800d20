/** Reads one manifest: the text of a YAML or JSON file that holds any number of Kubernetes objects. Pure. */

import { type Document, LineCounter, parseAllDocuments, type YAMLError } from "yaml";
import { recognizeKind } from "./known-kinds.ts";
import { groupOf, isRecord, type KubeObject, type Origin, readObject } from "./kube-object.ts";
import type { Problem } from "./problem.ts";
import { YamlRefusal, YamlTree } from "./yaml-nodes.ts";

export interface Manifest {
  readonly objects: readonly KubeObject[];
  readonly problems: readonly Problem[];
  /** The whole text was understood. If not, objects may be missing that its author did not mean to delete. */
  readonly complete: boolean;
}

/** `file` is used only in messages. */
export function parseManifest(text: string, file: string): Manifest {
  const reading = new Reading(text, file);
  reading.read();
  return reading;
}

class Reading implements Manifest {
  readonly objects: KubeObject[] = [];
  readonly problems: Problem[] = [];
  complete = true;
  readonly #text: string;
  readonly #file: string;
  readonly #lines = new LineCounter();

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  read(): void {
    try {
      const documents = parseAllDocuments(this.#text, {
        lineCounter: this.#lines,
        prettyErrors: false,
        uniqueKeys: false,
        logLevel: "error",
      });
      for (const document of documents) {
        // The first error is the author's; later ones mostly come from the parser having lost its way. What it only warns of,
        // such as an unknown tag, would mean something else to Kubernetes.
        const [error] = [...document.errors, ...document.warnings];
        if (error !== undefined) this.#refuse(explain(error), error.pos[0]);
        else if (document.contents !== null) this.#readDocument(document);
      }
    } catch (error) {
      // The library's parser recurses: only text nested without end exhausts the stack.
      if (!(error instanceof RangeError)) throw error;
      this.#refuse(tooDeep, undefined);
    }
  }

  #readDocument(document: Document): void {
    try {
      const tree = new YamlTree(document);
      this.#readValue(tree.value(), tree, []);
    } catch (error) {
      if (!(error instanceof YamlRefusal)) throw error;
      this.#refuse(error.message, error.offset);
    }
  }

  #readValue(value: unknown, tree: YamlTree, root: readonly (string | number)[]): void {
    if (value === null) return;
    if (isRecord(value) && typeof value["kind"] === "string" && value["kind"].endsWith("List")) {
      const items: unknown = value["items"];
      if (Array.isArray(items)) {
        for (const [index, item] of items.entries()) this.#readValue(item, tree, [...root, "items", index]);
        return;
      }
    }
    const origin = this.#origin(tree, root);
    const object = readObject(value, origin);
    if (object.ok) {
      this.objects.push(object.value);
      // If a kind was misspelt by an edit, the object it was before must not count as deleted.
      if (recognizeKind(groupOf(object.value.apiVersion), object.value.kind) === "misspelt") this.complete = false;
      return;
    }
    // It is unknown which object this was meant to be, so nothing in this file may count as deleted.
    this.complete = false;
    for (const { path, message } of object.error)
      this.problems.push({ severity: "error", file: this.#file, line: origin.lineOf(path), path, message });
  }

  #origin(tree: YamlTree, root: readonly (string | number)[]): Origin {
    const lineOf = (path: string) => this.#lineAt(tree.offsetOf([...root, ...pathSteps(path)]));
    return { file: this.#file, line: lineOf(""), lineOf };
  }

  #refuse(message: string, offset: number | undefined): void {
    this.complete = false;
    const line = offset === undefined ? {} : { line: this.#lineAt(offset) };
    this.problems.push({ severity: "error", file: this.#file, ...line, message: `not readable as YAML: ${message}` });
  }

  /** An error at the very end of the text is reported on its last line, not on the empty one after it. */
  #lineAt(offset: number): number {
    const lastCharacter = this.#text.trimEnd().length - 1;
    return Math.max(1, this.#lines.linePos(Math.max(0, Math.min(offset, lastCharacter))).line);
  }
}

const stepPattern = /\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g;

/** `spec.backends[1]["a.b"]` → `["spec", "backends", 1, "a.b"]`. */
function pathSteps(path: string): (string | number)[] {
  return [...path.matchAll(stepPattern)].map(([, index, quoted, plain]) =>
    index !== undefined ? Number(index) : quoted !== undefined ? (JSON.parse(`"${quoted}"`) as string) : (plain ?? ""),
  );
}

const tooDeep = "nests too deeply to be read";

/** The library catches its own stack overflow, and passes on the engine's message. */
function explain(error: YAMLError): string {
  return error.message.startsWith("Maximum call stack") ? tooDeep : error.message.replace(/\s+/g, " ").trim();
}
