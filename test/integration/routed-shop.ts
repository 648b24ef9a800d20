/** A shop whose routes are YAML as their authors write it, compiled, and applied between sidecars over real sockets. */

import type http from "node:http";
import { Pipeline } from "../../control-plane/pipeline.ts";
import { changeOf, serviceYaml } from "../support/manifests.ts";
import { meshed, TestMesh, type TestSidecar } from "../support/sidecar-pair.ts";

export function apply(mesh: TestMesh, ...yaml: string[]): void {
  const pipeline = new Pipeline({ clusterDomain: "cluster.local", trustDomain: "cluster.local" });
  pipeline.apply(changeOf(yaml.join("\n---\n")));
  for (const { resource } of pipeline.snapshot.list("destination")) mesh.resources.set(resource);
}

export function route(rules: string, kind = "HTTPRoute"): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {namespace: shop, name: r},
    spec: {parentRefs: [{group: "", kind: Service, name: orders}], rules: ${rules}}}`;
}

export function split(spec: string): string {
  return `{apiVersion: tulle.dev/v1alpha1, kind: TrafficSplit, metadata: {namespace: shop, name: orders}, spec: ${spec}}`;
}

/** A Service, with a pod that answers its name and what it saw. */
export async function serve(
  mesh: TestMesh,
  name: string,
  listener: http.RequestListener = answerWith(name),
): Promise<void> {
  const { podIp } = await mesh.sidecar(name);
  await mesh.application(podIp, listener);
  mesh.backend(name, [meshed(podIp, name)]);
}

function answerWith(name: string): http.RequestListener {
  return (request, response) => {
    response.setHeader("x-saw", JSON.stringify({ url: request.url, ...request.headers }));
    response.setHeader("x-inner", "1");
    response.end(name);
  };
}

export const services = ["orders", "blue", "green"].map((name) => serviceYaml(name)).join("");

export async function openShop(): Promise<{ mesh: TestMesh; web: TestSidecar }> {
  const mesh = await TestMesh.open();
  const web = await mesh.sidecar("web");
  for (const name of ["orders", "blue", "green"]) await serve(mesh, name);
  return { mesh, web };
}

/** Of each kind of outcome that a copy had. */
export function mirrorOutcomes({ metrics }: TestSidecar): string[] {
  return metrics.mirrors.labelSets.all.map(({ outcome }) => outcome ?? "");
}
