/** Reads from the control plane's `/status` what its user has to put right, one line each. */

/** `policies.yaml:12 spec.maxAttemps: unknown field`, or `RetryPolicy shop/web Conflicted: …` where no file is to blame. */
export function readProblems(status: unknown): readonly string[] {
  const problems = list(member(status, "problems")).flatMap(
    (problem) => text(problem) ?? text(member(problem, "text")) ?? [],
  );
  return [...problems, ...list(member(status, "policies")).flatMap(policyProblems)];
}

function policyProblems(policy: unknown): readonly string[] {
  const name = ["kind", "namespace", "name"].map((key) => text(member(policy, key)) ?? "").join(" ");
  return list(member(policy, "conditions"))
    .filter((condition) => text(member(condition, "status")) === "False")
    .map(
      (condition) => `${name} ${text(member(condition, "reason")) ?? ""}: ${text(member(condition, "message")) ?? ""}`,
    );
}

function member(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
