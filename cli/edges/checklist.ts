/**
 * Ten things that an integration between two services should have, each judged by what is configured and what is observed.
 * Three of them only people can know: a Service's annotations say those. Pure.
 */

import { formatMs, formatRate, formatShare } from "../../control-plane/dashboard/page/format.ts";
import type { KubeObject } from "../../control-plane/source/kube-object.ts";
import { destinationFor } from "../../model/consumer-routes.ts";
import { formatDuration } from "../../model/duration.ts";
import type { Destination, Protocol, Route, WeightedBackend } from "../../model/resources.ts";
import type { KnownServer, MeshFacts } from "../explain/mesh-facts.ts";
import type { CallEdge } from "./call-edges.ts";

export const points = [
  "pattern",
  "contract",
  "authentication",
  "error handling",
  "timeouts",
  "circuit breaker",
  "idempotency",
  "monitoring",
  "testing",
  "runbook",
] as const;

export type Point = (typeof points)[number];

export interface PointVerdict {
  readonly point: Point;
  readonly state: "present" | "missing";
  /** What was found, or what to do. */
  readonly says: string;
}

export interface EdgeChecklist extends CallEdge {
  readonly points: readonly PointVerdict[];
}

/** Annotations on a Service; their values are shown as written. */
const pointAnnotations = {
  contract: "tulle.dev/contract",
  idempotency: "tulle.dev/idempotency",
  testing: "tulle.dev/tests",
  runbook: "tulle.dev/runbook",
} as const;

interface About {
  readonly edge: CallEdge;
  readonly facts: MeshFacts;
  readonly annotations: ReadonlyMap<string, string>;
  /** The Destinations of all ports of the Service. */
  readonly destinations: readonly Destination[];
  readonly routes: readonly Route[];
  /** The backends that get requests. */
  readonly backends: readonly WeightedBackend[];
  readonly servers: readonly KnownServer[];
}

type Answer = Omit<PointVerdict, "point">;

/** `services` are the Service objects that the user may read. */
export function checklistOf(edge: CallEdge, facts: MeshFacts, services: readonly KubeObject[]): EdgeChecklist {
  const about = gather(edge, facts, services);
  return { ...edge, points: points.map((point) => ({ point, ...answers[point](about) })) };
}

function gather(edge: CallEdge, facts: MeshFacts, services: readonly KubeObject[]): About {
  const [callerNamespace = ""] = edge.from.split("/");
  const object = services.find(
    ({ kind, metadata: { namespace, name } }) => kind === "Service" && `${namespace}/${name}` === edge.to,
  );
  const destinations = facts.destinations().flatMap((name) => {
    const destination = facts.destination(name);
    const isIt = destination && `${destination.service.namespace}/${destination.service.name}` === edge.to;
    return isIt ? [destinationFor(callerNamespace, destination)] : [];
  });
  const routes = destinations.flatMap((destination) => destination.routes);
  const backends = routes.flatMap((route) => route.backends).filter(({ weight }) => weight > 0);
  const servers = backends.flatMap((backend) => facts.serversOf(backend));
  const annotations = object?.metadata.annotations ?? new Map<string, string>();
  return { edge, facts, annotations, destinations, routes, backends, servers };
}

const answers: Readonly<Record<Point, (about: About) => Answer>> = {
  pattern: ({ destinations }) => {
    const protocols = [...new Set(destinations.map(({ protocol }) => protocol))];
    if (protocols.length === 0) return missing("the Service is not there any more");
    if (protocols.includes("detect")) return missing("declare the protocol of each port: appProtocol");
    return present(protocols.map((protocol) => patterns[protocol]).join(", "));
  },
  contract: stated("contract", "where the interface is described: an OpenAPI document, a proto file"),
  authentication: ({ edge: { mutualTlsShare }, servers }) => {
    // Observation takes precedence over intent: a pod behind the Service may have no sidecar, or another way in.
    if (mutualTlsShare !== undefined && mutualTlsShare < 1)
      return missing(
        `${formatShare(1 - mutualTlsShare)} of its requests go in the clear: a pod behind it has no sidecar`,
      );
    if (servers.length === 0) return missing("no workload behind it is known");
    const open = servers.filter(({ policies }) => (policies.access ?? []).every(({ mode }) => mode === "audit"));
    if (open.length > 0) return missing(`no AccessPolicy says who may call ${namesOf(open)}`);
    const plain = servers.filter(({ policies }) => policies.mtls !== "strict");
    if (plain.length > 0) return missing(`${namesOf(plain)} takes plaintext too: mtls strict in an AccessPolicy`);
    const names = servers.flatMap(({ policies }) => (policies.access ?? []).map(({ name }) => name));
    return present(`mutual TLS only; AccessPolicy ${listed(names)}`);
  },
  "error handling": ({ routes }) => {
    if (!routes.some(({ retry }) => retry !== undefined))
      return missing("no RetryPolicy: only what was never processed is tried again");
    const without = routes.filter(({ retry }) => retry === undefined);
    if (without.length > 0) return missing(`no RetryPolicy for ${listed(without.map(({ name }) => name))}`);
    return present(`retries: ${listed(routes.map(({ retry }) => `${retry?.maxAttempts} tries`))}`);
  },
  timeouts: ({ routes }) => {
    const limits = routes.map(({ timeout }) => timeout.requestMs);
    if (limits.length === 0 || limits.includes(undefined)) return missing("no TimeoutPolicy limits the whole request");
    return present(listed(limits.map((ms) => formatDuration(ms ?? 0))));
  },
  "circuit breaker": ({ facts, backends }) => {
    const without = backends.filter(({ endpoints }) => facts.endpoints(endpoints)?.breaker === undefined);
    if (backends.length === 0 || without.length > 0)
      return missing(`no CircuitBreaker for ${listed(without.map(serviceOf)) || "it"}`);
    return present(
      listed(
        backends.map(
          ({ endpoints }) => `opens after ${facts.endpoints(endpoints)?.breaker?.failureThreshold} failures`,
        ),
      ),
    );
  },
  idempotency: (about) => {
    const names = about.servers.flatMap(({ policies }) => policies.idempotency?.name ?? []);
    if (names.length > 0) return present(`IdempotencyPolicy ${listed(names)}`);
    return stated("idempotency", "why repeated requests do no harm, unless an IdempotencyPolicy takes care")(about);
  },
  monitoring: ({ edge, facts, backends }) => {
    const endpoints = backends.flatMap((backend) => facts.endpoints(backend.endpoints)?.endpoints ?? []);
    const blind = new Set(endpoints.filter(({ identity }) => identity === undefined).map(({ pod }) => pod));
    if (blind.size > 0) return missing(`${blind.size} pods behind it have no sidecar: only the caller's side is seen`);
    const { requestsPerSecond, successShare, p99Ms } = edge;
    const latency = "p99Ms" in edge ? `, p99 ${formatMs(p99Ms)}` : "";
    return present(`${formatRate(requestsPerSecond)}, ${formatShare(successShare)}${latency}`);
  },
  testing: stated("testing", "where the tests of this integration are"),
  runbook: stated("runbook", "what to do when it fails"),
};

const patterns: Readonly<Record<Protocol, string>> = {
  http1: "HTTP/1.1, request and answer",
  http2: "HTTP/2, request and answer",
  grpc: "gRPC",
  tls: "TLS of its own",
  opaque: "a TCP stream",
  detect: "",
};

function stated(point: keyof typeof pointAnnotations, what: string): (about: About) => Answer {
  const name = pointAnnotations[point];
  return ({ edge, annotations }) => {
    const value = annotations.get(name)?.trim() ?? "";
    return value === "" ? missing(`annotate Service ${edge.to} with ${name}: ${what}`) : present(value);
  };
}

function present(says: string): Answer {
  return { state: "present", says };
}

function missing(says: string): Answer {
  return { state: "missing", says };
}

function serviceOf({ service: { namespace, name } }: WeightedBackend): string {
  return `${namespace}/${name}`;
}

function namesOf(servers: readonly KnownServer[]): string {
  return listed(servers.map(({ workload }) => workload));
}

/** Lists each word once. */
function listed(words: readonly string[]): string {
  return [...new Set(words)].join(", ");
}
