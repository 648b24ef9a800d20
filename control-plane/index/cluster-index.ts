/**
 * What is true now: takes changes from sources, keeps the last good reading of every object, and names the facts that
 * changed. A bad object harms only itself: it is a problem with file and line, and what it last said validly stays true.
 */

import { isDeepStrictEqual } from "node:util";
import { assertNever, err, type FieldError, type Result } from "../../model/result.ts";
import { groupOf, type KubeObject, type ObjectKey, objectKey } from "../source/kube-object.ts";
import { compareProblems, type Problem } from "../source/problem.ts";
import type { SourceChange } from "../source/source.ts";
import { BackingPods, type WorkloadKind, workloadKinds } from "./backing-pods.ts";
import type { Fact, IndexView } from "./facts.ts";
import { kindsOf, recognizeKind } from "./known-kinds.ts";
import { type Pod, readPod, readWorkload, type Workload } from "./pod.ts";
import { readService, type Service } from "./service.ts";

interface Readings {
  readonly service: Service;
  readonly pod: Pod;
  readonly workload: Workload;
}

/** What an object says, by what reads it. */
type Reading =
  | { readonly as: "service"; readonly value: Service }
  | { readonly as: "pod"; readonly value: Pod }
  | { readonly as: "workload"; readonly kind: WorkloadKind; readonly value: Workload };

/** An object of a kind that the mesh reads. */
interface Held {
  object: KubeObject;
  /** The last valid one; undefined: there was none yet. */
  reading: Reading | undefined;
  errors: readonly FieldError[];
}

export class ClusterIndex {
  readonly #pods = new BackingPods();
  readonly #held = new Map<ObjectKey, Held>();
  /** Objects of kinds that are not read but deserve a word. */
  readonly #unknown = new Map<ObjectKey, Problem>();
  #sourceProblems: readonly Problem[] = [];

  /** What is true now, for the compiler. */
  readonly view: IndexView = this.#pods;

  /** Returns the names of the facts that changed. */
  apply(change: SourceChange): ReadonlySet<Fact> {
    const touched = new Set<Fact>();
    for (const key of change.removed) {
      this.#unknown.delete(key);
      this.#replace(this.#held.get(key)?.reading, undefined, touched);
      this.#held.delete(key);
    }
    for (const object of change.applied) this.#take(objectKey(object), object, touched);
    this.#sourceProblems = change.problems;
    return touched;
  }

  /** Everything that is wrong with the input now, by file and line. */
  problems(): readonly Problem[] {
    const held = [...this.#held.values()].flatMap(({ object, errors }) => errors.map((e) => fieldProblem(object, e)));
    return [...this.#sourceProblems, ...this.#unknown.values(), ...held].sort(compareProblems);
  }

  /** All workloads, sorted by namespace and name. */
  workloads(): readonly Workload[] {
    return this.#pods.workloads();
  }

  #take(key: ObjectKey, object: KubeObject, touched: Set<Fact>): void {
    const before = this.#held.get(key);
    if (before !== undefined && sameContent(before.object, object)) {
      // Only its place in the file may have changed.
      before.object = object;
      return;
    }
    const result = read(object);
    if (result === undefined) {
      const problem = unknownKind(object);
      if (problem === undefined) this.#unknown.delete(key);
      else this.#unknown.set(key, problem);
      return;
    }
    const reading = result.ok ? result.value : before?.reading;
    this.#held.set(key, { object, reading, errors: result.ok ? [] : result.error });
    if (result.ok) this.#replace(before?.reading, reading, touched);
  }

  #replace(before: Reading | undefined, after: Reading | undefined, touched: Set<Fact>): void {
    const reading = after ?? before;
    if (reading === undefined) return;
    switch (reading.as) {
      case "service":
        return this.#pods.replaceService(valueOf(before, "service"), valueOf(after, "service"), touched);
      case "pod":
        return this.#pods.replacePod(valueOf(before, "pod"), valueOf(after, "pod"), touched);
      case "workload":
        return this.#pods.replaceWorkload(
          reading.kind,
          valueOf(before, "workload"),
          valueOf(after, "workload"),
          touched,
        );
      default:
        assertNever(reading);
    }
  }
}

/** A key never changes its kind, so `before` and `after` are read alike. */
function valueOf<As extends keyof Readings>(reading: Reading | undefined, as: As): Readings[As] | undefined {
  return reading?.as === as ? (reading.value as Readings[As]) : undefined;
}

/** Undefined: a kind that the mesh does not read. */
function read(object: KubeObject): Result<Reading, FieldError[]> | undefined {
  const group = groupOf(object.apiVersion);
  if (group === "" && object.kind === "Service")
    return wrap(readService(object), (value) => ({ as: "service", value }));
  if (group === "" && object.kind === "Pod") return wrap(readPod(object), (value) => ({ as: "pod", value }));
  const kind = group === "apps" ? workloadKinds.find((known) => known === object.kind) : undefined;
  if (kind !== undefined) return wrap(readWorkload(object), (value) => ({ as: "workload", kind, value }));
  return undefined;
}

function wrap<T>(result: Result<T, FieldError[]>, as: (value: T) => Reading): Result<Reading, FieldError[]> {
  return result.ok ? { ok: true, value: as(result.value) } : err(result.error);
}

function unknownKind(object: KubeObject): Problem | undefined {
  const group = groupOf(object.apiVersion);
  const name = `${object.kind} (${object.apiVersion})`;
  const place = { file: object.origin.file, line: object.origin.lineOf("kind"), path: "kind" };
  switch (recognizeKind(group, object.kind)) {
    case "listed":
      return undefined;
    case "misspelt": {
      const message = `unknown kind ${name}; of ${object.apiVersion} there are ${kindsOf(group).join(", ")}`;
      return { severity: "error", ...place, message };
    }
    case "foreign":
      return { severity: "warning", ...place, message: `unknown kind ${name}, ignored` };
  }
}

function fieldProblem({ origin }: KubeObject, { path, message }: FieldError): Problem {
  return { severity: "error", file: origin.file, line: origin.lineOf(path), path, message };
}

function sameContent(a: KubeObject, b: KubeObject): boolean {
  const { origin: _a, ...contentA } = a;
  const { origin: _b, ...contentB } = b;
  return isDeepStrictEqual(contentA, contentB);
}
