/** What is wrong with the input, reported so that its author finds the place. */

export interface Problem {
  /** `error`: not applied; `warning`: applied, or not the mesh's concern. */
  readonly severity: "error" | "warning";
  /** As the user named the folder: `deploy/demo/policies.yaml`; in a cluster the object: `RetryPolicy shop/orders`. */
  readonly file: string;
  /** From 1; absent if the whole file or folder is meant, and in a cluster. */
  readonly line?: number | undefined;
  /** The field from the object's root, `spec.backends[1].weight`; absent if no single field is meant. */
  readonly path?: string;
  /** What is allowed, and what was found. */
  readonly message: string;
}

/** One line: `deploy/demo/policies.yaml:12 spec.maxAttemps: unknown field, did you mean maxAttempts?` */
export function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}`;
  const subject = problem.path === undefined || problem.path === "" ? "" : ` ${problem.path}`;
  return `${place}${subject}: ${problem.severity === "warning" ? "warning: " : ""}${problem.message}`;
}

/** By file, then line: the order in which a reader meets them. */
export function compareProblems(a: Problem, b: Problem): number {
  return (
    compareStrings(a.file, b.file) ||
    (a.line ?? 0) - (b.line ?? 0) ||
    compareStrings(formatProblem(a), formatProblem(b))
  );
}

/** By code unit, the same on every machine, unlike `localeCompare`. */
export function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
