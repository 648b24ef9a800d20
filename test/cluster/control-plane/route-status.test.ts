/** What becomes of routes, as their authors see it: for each parent that is a Service, and beside what other controllers say. */

import { afterAll, beforeAll, beforeEach, expect, inject, it } from "vitest";
import { type ClusterApi, openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { eventually } from "../../support/eventually.ts";
import { applyGatewayDefinitions } from "../definitions.ts";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import { nested, TestNamespace } from "./objects.ts";
import { gateway, leasePath, ownParent, WrittenStatuses } from "./written-statuses.ts";

const patient = { timeout: 30_000, interval: 50 };

let api: ClusterApi;
let controlPlane: ControlPlaneProcess;
let shop: TestNamespace;
let statuses: WrittenStatuses;

beforeAll(async () => {
  api = await openClusterApi(inject("kubeconfig"));
  await applyGatewayDefinitions(api);
  await api.request({ method: "DELETE", path: leasePath });
  controlPlane = new ControlPlaneProcess(inject("kubeconfig"));
  await eventually(() => controlPlane.ports !== undefined, 60_000);
});
afterAll(async () => {
  await controlPlane.stop();
  api.close();
});
beforeEach(async () => {
  shop = await TestNamespace.create(api, "route-status", { "tulle.dev/inject": "enabled" });
  statuses = new WrittenStatuses(shop);
  await shop.service("catalog");
});

const route = (name: string, backend: string) => ({
  apiVersion: gateway,
  kind: "HTTPRoute",
  metadata: { name },
  spec: {
    parentRefs: [{ group: "", kind: "Service", name: "catalog" }],
    rules: [{ backendRefs: [{ name: backend, port: 80 }] }],
  },
});

it("a route is reported on for its Service, beside what other controllers say", async () => {
  const foreign = {
    parentRef: { name: "edge" },
    controllerName: "example.com/gateway",
    conditions: [],
  };
  await shop.create(gateway, "httproutes", route("r", "catalog"));
  await shop.patch(gateway, "httproutes/r/status", { status: { parents: [foreign] } });
  await expect.poll(() => statuses.reason("httproutes/r", "Accepted", gateway), patient).toBe("Accepted");
  const { body } = await shop.read(gateway, "httproutes/r");
  const parents = nested(body, "status", "parents") as unknown[];
  expect(parents).toContainEqual(foreign);
  expect(ownParent(body)?.["parentRef"]).toEqual({ group: "", kind: "Service", name: "catalog" });
});

it("a route that is given to a Gateway instead loses what was said of its Service, and nothing else", async () => {
  const foreign = { parentRef: { name: "edge" }, controllerName: "example.com/gateway", conditions: [] };
  await shop.create(gateway, "httproutes", route("r", "catalog"));
  await expect.poll(() => statuses.reason("httproutes/r", "Accepted", gateway), patient).toBe("Accepted");
  const { body } = await shop.read(gateway, "httproutes/r");
  await shop.patch(gateway, "httproutes/r/status", { status: { parents: [foreign, ownParent(body)] } });
  await shop.patch(gateway, "httproutes/r", { spec: { parentRefs: [{ name: "edge" }] } });
  const parents = async (): Promise<unknown> =>
    nested((await shop.read(gateway, "httproutes/r")).body, "status", "parents");
  await expect.poll(parents, patient).toEqual([foreign]);
});

it("a route whose parent is an ExternalName has none, until that is a Service of the cluster", async () => {
  await shop.create("v1", "services", {
    metadata: { name: "alias" },
    spec: { type: "ExternalName", externalName: "example.com", ports: [{ port: 80 }] },
  });
  const { spec, ...rest } = route("r", "catalog");
  const parentRefs = [{ group: "", kind: "Service", name: "alias" }];
  await shop.create(gateway, "httproutes", { ...rest, spec: { ...spec, parentRefs } });
  await expect.poll(() => statuses.reason("httproutes/r", "Accepted", gateway), patient).toBe("NoMatchingParent");
  expect(await statuses.reason("httproutes/r", "Programmed", gateway)).toBe("NotInForce");
  await shop.patch("v1", "services/alias", { spec: { type: "ClusterIP", externalName: null } });
  await expect.poll(() => statuses.reason("httproutes/r", "Accepted", gateway), patient).toBe("Accepted");
});

it("a route whose backend's namespace is deleted says so, and an Event too", async () => {
  const ending = await TestNamespace.create(api, "ending", { "tulle.dev/inject": "enabled" });
  await ending.service("stock");
  await ending.create("gateway.networking.k8s.io/v1beta1", "referencegrants", {
    apiVersion: "gateway.networking.k8s.io/v1beta1",
    kind: "ReferenceGrant",
    metadata: { name: "shop" },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: shop.name }],
      to: [{ group: "", kind: "Service" }],
    },
  });
  const { spec, ...rest } = route("r", "stock");
  const rules = [{ backendRefs: [{ name: "stock", namespace: ending.name, port: 80 }] }];
  await shop.create(gateway, "httproutes", { ...rest, spec: { ...spec, rules } });
  const resolved = () => statuses.reason("httproutes/r", "ResolvedRefs", gateway);
  await expect.poll(resolved, patient).toBe("ResolvedRefs");
  await ending.remove();
  await expect.poll(resolved, patient).toBe("RefNotPermitted");
  await expect.poll(() => statuses.eventReasons(), patient).toContain("RefNotPermitted");
  expect(await statuses.reason("httproutes/r", "Accepted", gateway)).toBe("Accepted");
});

it("a route whose backend is missing says so", async () => {
  await shop.create(gateway, "httproutes", route("r", "nowhere"));
  await expect.poll(() => statuses.reason("httproutes/r", "ResolvedRefs", gateway), patient).toBe("BackendNotFound");
  await expect.poll(() => statuses.eventReasons(), patient).toContain("BackendNotFound");
});
