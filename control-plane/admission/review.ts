/**
 * `admission.k8s.io/v1` AdmissionReview, as the API server asks and wants to be answered
 * (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request). It reads and writes the
 * envelope; what an object in it says is a handler's business.
 */

import { err, type FieldError, ok, type Result } from "../../model/result.ts";

export interface AdmissionRequest {
  readonly uid: string;
  readonly group: string;
  readonly kind: string;
  /** Empty: of the object itself. */
  readonly subresource: string;
  /** Empty where the object lives in no namespace. */
  readonly namespace: string;
  /** Empty where the API server is still to make one of `generateName`. */
  readonly name: string;
  readonly operation: Operation;
  /** Plain JSON values, not yet checked. Null where the object is deleted. */
  readonly object: unknown;
  /** What there was before. Null where the object is created. */
  readonly oldObject: unknown;
  /** Nothing will be kept: the answer may have no other effect. */
  readonly dryRun: boolean;
}

const operations = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;
export type Operation = (typeof operations)[number];

/** RFC 6902, as far as it is used. Paths are JSON pointers. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

export type AdmissionAnswer =
  /** `warnings` are shown to whoever wrote the object; `patch` changes it, and is for mutating webhooks only. */
  | { readonly verdict: "admit"; readonly warnings: readonly string[]; readonly patch?: readonly JsonPatchOperation[] }
  /** kubectl shows the causes, one a line. */
  | { readonly verdict: "refuse"; readonly causes: readonly FieldError[] };

const apiVersion = "admission.k8s.io/v1";
const unprocessable = 422;
/** The API server cuts what is longer, in all or of one (KEP-1693). */
const maxWarningCharacters = 256;
const maxWarningsCharacters = 4_096;

/** The error says what is missing, in one line. */
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

/** They travel as header fields: one line each, and not too much of them. */
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
