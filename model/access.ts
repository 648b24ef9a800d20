/**
 * Who may call what: the decision of all access policies that select a pod and port.
 *
 * They add up: a matching deny refuses; else a matching allow admits; else the request is refused if there is any allow, and
 * admitted if there is none. Whatever can't be evaluated is refused.
 */

import { normalizePath } from "./path.ts";
import { pathTest } from "./path-match.ts";
import type { AccessPolicy, AccessRule, CallerMatch, MtlsMode, NamedAccessRules } from "./policy.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe.ts";

export interface AccessRequest {
  /** The SPIFFE id from the peer's certificate; undefined: plaintext. */
  readonly peer: string | undefined;
  /** Absent: an opaque connection. */
  readonly http?: {
    readonly method: string;
    /** As sent, without the query. */
    readonly path: string;
  };
}

export type AccessVerdict =
  | { readonly kind: "admitted"; readonly wouldRefuse?: string }
  /** `by`: the deny that matched; absent: there are allows, but none matched. */
  | { readonly kind: "refused"; readonly by?: string }
  /** 400 `path_ambiguous`: a path rule is in force, and this path can be read in two ways. */
  | { readonly kind: "ambiguous-path" };

interface Rule {
  readonly callers: readonly CallerMatch[];
  readonly methods: ReadonlySet<string>;
  readonly paths: readonly ((normalPath: string) => boolean)[];
}

interface CompiledPolicy {
  readonly name: string;
  readonly action: "allow" | "deny";
  readonly mode: "enforce" | "audit";
  readonly rules: readonly Rule[];
}

interface Subject {
  readonly peer: string | undefined;
  readonly id: SpiffeId | undefined;
  readonly method: string | undefined;
  readonly normalPath: string | undefined;
}

export class AccessTable {
  readonly #policies: readonly CompiledPolicy[];
  readonly #trustDomain: string;
  readonly #hasPathRule: boolean;
  /** Whether any policy, enforced or in audit mode, has path rules; if not, paths are not looked at. */
  readonly #readsPaths: boolean;
  readonly #hasAudit: boolean;
  /** The peer judged last and its parsed id: all requests of a connection have the same peer. */
  #peer: string | undefined;
  #id: SpiffeId | undefined;

  /** `trustDomain` is the mesh's own, which applies to namespaces given without one. */
  constructor(policies: readonly NamedAccessRules[], trustDomain: string) {
    this.#policies = policies.map(compilePolicy);
    this.#trustDomain = trustDomain;
    this.#hasPathRule = this.#policies.some(
      ({ mode, rules }) => mode === "enforce" && rules.some(({ paths }) => paths.length > 0),
    );
    this.#readsPaths = this.#policies.some(({ rules }) => rules.some(({ paths }) => paths.length > 0));
    this.#hasAudit = this.#policies.some(({ mode }) => mode === "audit");
  }

  decide(request: AccessRequest): AccessVerdict {
    if (this.#policies.length === 0) return admitted;
    const { peer, http } = request;
    const normal = http !== undefined && this.#readsPaths ? normalizePath(http.path) : undefined;
    if (normal?.ambiguous === true && this.#hasPathRule) return { kind: "ambiguous-path" };
    const subject: Subject = {
      peer,
      id: this.#idOf(peer),
      method: http?.method,
      normalPath: normal?.path ?? http?.path,
    };
    const refusal = this.#refusal(subject, false);
    if (refusal !== undefined) return refusal;
    if (!this.#hasAudit) return admitted;
    const audited = this.#refusal(subject, true);
    return audited === undefined ? admitted : { kind: "admitted", wouldRefuse: audited.by ?? this.#auditedAllow() };
  }

  #idOf(peer: string | undefined): SpiffeId | undefined {
    if (peer === this.#peer) return this.#id;
    const id = peer === undefined ? undefined : parseSpiffeId(peer);
    this.#peer = peer;
    this.#id = id?.ok === true ? id.value : undefined;
    return this.#id;
  }

  /** Undefined: admitted. `withAudit` treats policies in audit mode as enforced. */
  #refusal(subject: Subject, withAudit: boolean): Extract<AccessVerdict, { kind: "refused" }> | undefined {
    let someAllow = false;
    let allowed = false;
    for (const policy of this.#policies) {
      if (policy.mode === "audit" && !withAudit) continue;
      const matches = policy.rules.some((rule) => this.#matches(rule, policy.action, subject));
      if (policy.action === "deny") {
        if (matches) return { kind: "refused", by: policy.name };
      } else {
        someAllow = true;
        allowed ||= matches;
      }
    }
    return someAllow && !allowed ? { kind: "refused" } : undefined;
  }

  #auditedAllow(): string {
    return this.#policies.find(({ action, mode }) => action === "allow" && mode === "audit")?.name ?? "";
  }

  /** An opaque connection has no method and no path: a deny rule that asks for them matches it, an allow rule does not. */
  #matches(rule: Rule, action: "allow" | "deny", subject: Subject): boolean {
    const { callers, methods, paths } = rule;
    const { method, normalPath } = subject;
    if (callers.length > 0 && !callers.some((caller) => this.#isCaller(caller, subject))) return false;
    if (method === undefined || normalPath === undefined) {
      return (methods.size === 0 && paths.length === 0) || action === "deny";
    }
    if (methods.size > 0 && !methods.has(method)) return false;
    return paths.length === 0 || paths.some((test) => test(normalPath));
  }

  #isCaller(caller: CallerMatch, { peer, id }: Subject): boolean {
    switch (caller.kind) {
      case "identity":
        return peer === caller.id;
      case "namespace":
        return id?.namespace === caller.namespace && id.trustDomain === (caller.trustDomain ?? this.#trustDomain);
      case "trust-domain":
        return id?.trustDomain === caller.trustDomain;
    }
  }
}

const admitted: AccessVerdict = { kind: "admitted" };

function compilePolicy({ name, action, mode, rules }: NamedAccessRules): CompiledPolicy {
  return { name, action, mode, rules: rules.map((rule) => compileRule(rule, action)) };
}

function compileRule(rule: AccessRule, action: "allow" | "deny"): Rule {
  return {
    callers: rule.from,
    methods: new Set(rule.methods),
    paths: rule.paths.map((path) => pathTest(path, action === "deny")),
  };
}

/** From the widest to the narrowest. */
const mtlsLevels = ["mesh", "namespace", "workload", "port"] as const;

export type MtlsLevel = (typeof mtlsLevels)[number];

/** What applies to a port, of everything that policies say: the narrowest level, strict within a level, else permissive. */
export function effectiveMtls(settings: readonly { readonly level: MtlsLevel; readonly mtls: MtlsMode }[]): MtlsMode {
  for (const level of mtlsLevels.toReversed()) {
    const atLevel = settings.filter((setting) => setting.level === level);
    if (atLevel.length > 0) return atLevel.some(({ mtls }) => mtls === "strict") ? "strict" : "permissive";
  }
  return "permissive";
}

/** The level at which a policy sets `mtls`. Tulle's own namespace stands for the mesh. */
export function mtlsLevelOf(policy: AccessPolicy, hasTargets: boolean, inMeshNamespace: boolean): MtlsLevel {
  if (policy.ports !== undefined) return "port";
  if (hasTargets || policy.labels !== undefined) return "workload";
  return inMeshNamespace ? "mesh" : "namespace";
}
