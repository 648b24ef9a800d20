/** What the control plane has written of the policies and routes of a namespace, and the Events beside them. */

import { nested, type TestNamespace } from "./objects.ts";

export const tulle = "tulle.dev/v1alpha1";
export const gateway = "gateway.networking.k8s.io/v1";
/** Whose holder writes. */
export const leasePath = "/apis/coordination.k8s.io/v1/namespaces/tulle-system/leases/tulle-status-writer";
const controller = "tulle.dev/controller";

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

export class WrittenStatuses {
  readonly #namespace: TestNamespace;

  constructor(namespace: TestNamespace) {
    this.#namespace = namespace;
  }

  /** `path`: of the object, `timeoutpolicies/t`. Of a route, what is said of its Service. */
  async condition(path: string, type: string, version = tulle): Promise<Condition | undefined> {
    const { body } = await this.#namespace.read(version, path);
    const own = version === tulle ? nested(body, "status", "conditions") : ownParent(body)?.["conditions"];
    return ((own ?? []) as Condition[]).find((condition) => condition.type === type);
  }

  async reason(path: string, type: string, version = tulle): Promise<string | undefined> {
    return (await this.condition(path, type, version))?.reason;
  }

  async message(path: string, type: string): Promise<string | undefined> {
    return (await this.condition(path, type))?.message;
  }

  /** Of its own Events, sorted: Kubernetes has something to say of Services now and then. */
  async eventReasons(): Promise<string[]> {
    const { body } = await this.#namespace.read("events.k8s.io/v1", "events");
    const events = (nested(body, "items") ?? []) as Record<string, unknown>[];
    const own = events.filter((event) => event["reportingController"] === controller);
    return own.map((event) => String(event["reason"])).sort();
  }
}

/** What we say of a route, beside other controllers. */
export function ownParent(route: unknown): Record<string, unknown> | undefined {
  const parents = (nested(route, "status", "parents") ?? []) as Record<string, unknown>[];
  return parents.find((parent) => parent["controllerName"] === controller);
}
