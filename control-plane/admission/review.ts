/**
 * `admission.k8s.io/v1` AdmissionReview, as the API server sends it and expects the answer
 * (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request). It reads and writes the
 * envelope; the object in it is for a handler.
 */

import { err, type FieldError, ok, type Result } from "../../model/result.ts";

export interface AdmissionRequest {
  readonly uid: string;
  readonly group: string;
  readonly kind: string;
  /** Empty: the request is about the object itself. */
  readonly subresource: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  /** Empty if the API server has yet to derive a name from `generateName`. */
  readonly name: string;
  readonly operation: Operation;
  /** Plain JSON values, not yet checked. Null if the object is being deleted. */
  readonly object: unknown;
  /** The previous state. Null if the object is being created. */
  readonly oldObject: unknown;
  /** Nothing will be stored, so the answer must have no side effects. */
  readonly dryRun: boolean;
}

const operations = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;
type Operation = (typeof operations)[number];

/** RFC 6902, the part that is used. Paths are JSON pointers. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

export type AdmissionAnswer =
  /** `warnings` are shown to the author of the object; `patch` changes it, and is for mutating webhooks only. */
  | { readonly verdict: "admit"; readonly warnings: readonly string[]; readonly patch?: readonly JsonPatchOperation[] }
  /** kubectl shows the causes, one per line. */
  | { readonly verdict: "refuse"; readonly causes: readonly FieldError[] };

const apiVersion = "admission.k8s.io/v1";
const unprocessable = 422;
/** The API server truncates longer warnings, each and in total (KEP-1693). */
const maxWarningCharacters = 256;
const maxWarningsCharacters = 4_096;

/** The error says in one line what is missing. */
export function readReview(text: string): Result<AdmissionRequest, string> {
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch {
    return err("not JSON");
  }
  const envelope = fieldsOf(review);
  if (envelope.get("apiVersion") !== apiVersion || envelope.get("kind") !== "AdmissionReview")
    return err(`not an AdmissionReview of ${apiVersion}`);
  const request = fieldsOf(envelope.get("request"));
  const kind = fieldsOf(request.get("kind"));
  const operation = operations.find((known) => known === request.get("operation"));
  const uid = textOf(request, "uid");
  if (uid === "" || operation === undefined || textOf(kind, "kind") === "")
    return err("a request without uid, kind or operation");
  return ok({
    uid,
    group: textOf(kind, "group"),
    kind: textOf(kind, "kind"),
    subresource: textOf(request, "subResource"),
    namespace: textOf(request, "namespace"),
    name: textOf(request, "name"),
    operation,
    object: request.get("object") ?? null,
    oldObject: request.get("oldObject") ?? null,
    dryRun: request.get("dryRun") === true,
  });
}

export function writeReview(request: AdmissionRequest, answer: AdmissionAnswer): string {
  return JSON.stringify({
    apiVersion,
    kind: "AdmissionReview",
    response: { uid: request.uid, ...write(request, answer) },
  });
}

function write({ group, kind, name }: AdmissionRequest, answer: AdmissionAnswer): object {
  if (answer.verdict === "refuse") {
    const causes = answer.causes.map(({ path, message }) => ({ reason: "FieldValueInvalid", field: path, message }));
    const message = answer.causes.map(({ path, message }) => `${path}: ${message}`).join("; ");
    const status = { status: "Failure", code: unprocessable, reason: "Invalid", message };
    return { allowed: false, status: { ...status, details: { group, kind, name, causes } } };
  }
  const { warnings, patch } = answer;
  return {
    allowed: true,
    ...(warnings.length > 0 && { warnings: cut(warnings) }),
    ...(patch !== undefined && {
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
    }),
  };
}

/** Warnings travel as header fields, so each must be one line, and the total is limited. */
function cut(warnings: readonly string[]): string[] {
  const kept: string[] = [];
  let left = maxWarningsCharacters;
  for (const warning of warnings) {
    const line = warning.replace(/\p{Cc}+/gu, " ");
    const short = line.length > maxWarningCharacters ? `${line.slice(0, maxWarningCharacters - 1)}…` : line;
    left -= short.length;
    if (left < 0) break;
    kept.push(short);
  }
  return kept;
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

function textOf(fields: ReadonlyMap<string, unknown>, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? value : "";
}
