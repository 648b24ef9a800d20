/**
 * `npm run crds`: the CustomResourceDefinitions in `charts/tulle-crds`, from the parsers' own definitions, so that what
 * `kubectl explain` says and what is accepted can't differ. A test fails when a file is stale.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { openApiOf, policyKinds } from "../model/parse/policy.ts";
import { type PolicyKind, pluralOf } from "../model/policy-object.ts";

const folder = join(import.meta.dirname, "tulle-crds", "templates");
const group = "tulle.dev";

/** https://github.com/kubernetes-sigs/gateway-api, `PolicyStatus`: one list of conditions, merged by type. */
const statusSchema = {
  type: "object",
  description: "What became of the policy, written by the control plane.",
  properties: {
    conditions: {
      type: "array",
      description:
        "Accepted: it is valid and in force. ResolvedRefs: what it names exists. Programmed: sidecars have it.",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type", "status", "lastTransitionTime", "reason", "message"],
        properties: {
          type: { type: "string", maxLength: 316, description: "What it is about." },
          status: { type: "string", enum: ["True", "False", "Unknown"], description: "Whether it is so." },
          observedGeneration: {
            type: "integer",
            format: "int64",
            minimum: 0,
            description: "The metadata.generation of the object that it speaks of.",
          },
          lastTransitionTime: {
            type: "string",
            format: "date-time",
            description: "When status last became another.",
          },
          reason: { type: "string", minLength: 1, maxLength: 1024, description: "Why, in one word for programs." },
          message: { type: "string", maxLength: 32768, description: "Why, in words for people." },
        },
      },
    },
  },
};

/** What `kubectl explain` begins with. */
const purposes: Readonly<Record<PolicyKind, string>> = {
  AccessPolicy: "Who may call a service, and what, by the certificate of who calls. The called pod's sidecar decides.",
  CircuitBreaker: "Takes an endpoint that fails out of the balancing for a while.",
  FaultInjection: "Makes calls slow, or fail, on purpose and until a given time.",
  IdempotencyPolicy: "Has a request that carries an Idempotency-Key processed once, however often it is sent.",
  RateLimit: "How many requests a pod takes. Its own sidecar refuses the others.",
  RetryPolicy: "Which failed tries are made again, when, and how often.",
  TelemetryPolicy: "Which share of traces is recorded, and of which requests sidecars write a line.",
  TimeoutPolicy: "How long things may take.",
  TrafficSplit: "Sends the requests for one Service to several, by weight.",
};

/** For the command line: `kubectl get ts`. */
const shortNames: Readonly<Record<PolicyKind, string>> = {
  AccessPolicy: "ap",
  CircuitBreaker: "cb",
  FaultInjection: "fi",
  IdempotencyPolicy: "idp",
  RateLimit: "rl",
  RetryPolicy: "rp",
  TelemetryPolicy: "tlp",
  TimeoutPolicy: "top",
  TrafficSplit: "ts",
};

/** What `kubectl get` shows: what the policy is for and what became of it; with `-o wide` also why. */
function columnsOf(kind: PolicyKind): object[] {
  const about =
    kind === "TrafficSplit"
      ? { name: "Service", jsonPath: ".spec.service" }
      : { name: "Targets", jsonPath: ".spec.targetRefs[*].name" };
  const column = (name: string, condition: string, field: string, priority = 0) => {
    return { name, type: "string", jsonPath: `.status.conditions[?(@.type=="${condition}")].${field}`, priority };
  };
  return [
    { ...about, type: "string" },
    column("Accepted", "Accepted", "status"),
    column("Programmed", "Programmed", "status"),
    column("Reason", "Accepted", "reason", 1),
    column("Sidecars", "Programmed", "message", 1),
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ];
}

/** One definition, as YAML. */
function definitionOf(kind: PolicyKind): string {
  const plural = pluralOf(kind);
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      labels: { "app.kubernetes.io/part-of": "tulle" },
      // Uninstalling the chart must not delete everyone's policies.
      annotations: { "helm.sh/resource-policy": "keep" },
    },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortNames[kind]],
        categories: ["tulle"],
      },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columnsOf(kind),
          schema: {
            openAPIV3Schema: {
              type: "object",
              description: purposes[kind],
              required: ["spec"],
              properties: { spec: { ...openApiOf(kind), description: "What is asked for." }, status: statusSchema },
            },
          },
        },
      ],
    },
  };
  return `# Made by \`npm run crds\` from model/parse; edit that.\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** By file name. */
export function definitions(): ReadonlyMap<string, string> {
  return new Map(policyKinds.map((kind) => [`${pluralOf(kind)}.yaml`, definitionOf(kind)]));
}

if (process.argv[1] === import.meta.filename) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of definitions()) writeFileSync(join(folder, name), text);
}
