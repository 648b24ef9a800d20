import { expect, it } from "vitest";
import { type AdmissionRequest, readReview, writeReview } from "../../../control-plane/admission/review.ts";
import { reviewOf } from "../../support/admission.ts";

function read(text: string): AdmissionRequest {
  const request = readReview(text);
  if (!request.ok) throw new Error(request.error);
  return request.value;
}

const request = read(JSON.stringify(reviewOf({ kind: "TrafficSplit", metadata: { name: "a", namespace: "shop" } })));

it("reads what is asked", () => {
  expect(request).toMatchObject({
    uid: "4711",
    group: "tulle.dev",
    kind: "TrafficSplit",
    operation: "CREATE",
    name: "a",
    namespace: "shop",
    subresource: "",
    oldObject: null,
    dryRun: false,
  });
});

it.each([
  ["", "not JSON"],
  ["null", "not an AdmissionReview of admission.k8s.io/v1"],
  ['"review"', "not an AdmissionReview of admission.k8s.io/v1"],
  [
    '{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}',
    "not an AdmissionReview of admission.k8s.io/v1",
  ],
  ['{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', "a request without uid, kind or operation"],
  [JSON.stringify(reviewOf({ kind: "" })), "a request without uid, kind or operation"],
  [JSON.stringify(reviewOf({ kind: "Pod" }, { operation: "PATCH" })), "a request without uid, kind or operation"],
])("says what is missing in %s", (text, error) => {
  expect(readReview(text)).toEqual({ ok: false, error });
});

it("refuses with every cause, as the API server refuses by schema", () => {
  const causes = [
    { path: "spec.service", message: "is required" },
    { path: "spec.backends[0].weight", message: "must be at least 0, got -1" },
  ];
  expect(JSON.parse(writeReview(request, { verdict: "refuse", causes }))).toEqual({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: {
      uid: "4711",
      allowed: false,
      status: {
        status: "Failure",
        code: 422,
        reason: "Invalid",
        message: "spec.service: is required; spec.backends[0].weight: must be at least 0, got -1",
        details: {
          group: "tulle.dev",
          kind: "TrafficSplit",
          name: "a",
          causes: [
            { reason: "FieldValueInvalid", field: "spec.service", message: "is required" },
            { reason: "FieldValueInvalid", field: "spec.backends[0].weight", message: "must be at least 0, got -1" },
          ],
        },
      },
    },
  });
});

it("writes a patch as the API server reads it", () => {
  const patch = [{ op: "add", path: "/metadata/labels/a", value: "ü" }] as const;
  const { response } = JSON.parse(writeReview(request, { verdict: "admit", warnings: [], patch })) as {
    response: { patchType: string; patch: string; warnings?: unknown };
  };
  expect(response.patchType).toBe("JSONPatch");
  expect(JSON.parse(Buffer.from(response.patch, "base64").toString())).toEqual(patch);
  expect(response.warnings).toBeUndefined();
});

it("writes warnings that fit into a header, on one line each", () => {
  const warnings = ["two\r\nlines", "x".repeat(300), ...Array.from({ length: 40 }, () => "y".repeat(200))];
  const { response } = JSON.parse(writeReview(request, { verdict: "admit", warnings })) as {
    response: { warnings: string[] };
  };
  expect(response.warnings[0]).toBe("two lines");
  expect(response.warnings[1]).toHaveLength(256);
  expect(response.warnings.join("").length).toBeLessThanOrEqual(4_096);
});
