/** YAML text as the change that a source would hand on. */

import { parseManifest } from "../../control-plane/source/manifest.ts";
import type { SourceChange } from "../../control-plane/source/source.ts";

export function changeOf(yaml: string, removed: readonly string[] = []): SourceChange {
  const { objects, problems } = parseManifest(yaml, "test.yaml");
  return { applied: objects, removed, problems };
}

export function serviceYaml(name: string, port = "port: 80, targetPort: 8080"): string {
  return `
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: ${name}}
spec: {selector: {app: ${name}}, ports: [{${port}}]}
---`;
}

export function podYaml(name: string, app: string, ip: string, more = ""): string {
  return `
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: ${name}, labels: {app: ${app}}, annotations: {tulle.dev/proxy-version: "0.1.0"}}
spec: {serviceAccountName: ${app}, containers: [{name: app, ports: [{name: web, containerPort: 8080}]}]}
status: {podIP: ${ip}, conditions: [{type: Ready, status: "True"}]}
${more}
---`;
}

export function deploymentYaml(name: string, ports = "containerPort: 8080"): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: shop, name: ${name}}
spec:
  replicas: 2
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {serviceAccountName: ${name}, containers: [{name: app, ports: [{${ports}}]}]}
---`;
}
