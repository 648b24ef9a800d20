/** The CustomResourceDefinitions that scenarios need: the chart's, and a minimal form of Gateway API's. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { ClusterApi } from "../../control-plane/kubernetes/cluster-api.ts";
import { describeAnswer } from "../../control-plane/kubernetes/cluster-api.ts";
import { isRecord } from "../../control-plane/source/kube-object.ts";
import { eventually } from "../support/eventually.ts";
import { testLabels } from "./control-plane/objects.ts";

const templates = join(import.meta.dirname, "../../charts/tulle-crds/templates");
const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** Resolves once they are served. */
export async function applyDefinitions(api: ClusterApi): Promise<void> {
  const files = (await readdir(templates)).filter((file) => file.endsWith(".yaml"));
  for (const file of files) await define(api, parse(await readFile(join(templates, file), "utf8")));
}

/** HTTPRoute, GRPCRoute and ReferenceGrant as far as the API server is concerned: any fields. */
export async function applyGatewayDefinitions(api: ClusterApi): Promise<void> {
  for (const definition of gatewayDefinitions()) await define(api, definition);
}

/** Resolves once they are gone: until then they can't be defined anew. */
export async function deleteGatewayDefinitions(api: ClusterApi): Promise<void> {
  const paths = gatewayDefinitions().map(({ metadata }) => `${path}/${metadata.name}`);
  for (const one of paths) await api.request({ method: "DELETE", path: one });
  const isGone = async (one: string): Promise<boolean> => (await api.request({ path: one })).status === 404;
  await eventually(async () => (await Promise.all(paths.map(isGone))).every(Boolean), 20_000);
}

function gatewayDefinitions() {
  const group = "gateway.networking.k8s.io";
  const kinds = [
    { kind: "HTTPRoute", version: "v1" },
    { kind: "GRPCRoute", version: "v1" },
    { kind: "ReferenceGrant", version: "v1beta1" },
  ];
  return kinds.map(({ kind, version }) => {
    const plural = `${kind.toLowerCase()}s`;
    const anything = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    return {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: {
        name: `${plural}.${group}`,
        // The group is Kubernetes' own: https://github.com/kubernetes/enhancements/pull/1111.
        annotations: { "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1538" },
      },
      spec: {
        group,
        scope: "Namespaced",
        names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
        versions: [
          {
            name: version,
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: "object", properties: { spec: anything, status: anything } } },
          },
        ],
      },
    };
  });
}

async function define(api: ClusterApi, definition: unknown): Promise<void> {
  const { name, group, version, plural } = readDefinition(definition);
  const { metadata } = asRecord(definition);
  const { labels } = asRecord(metadata);
  const labelled = { ...asRecord(metadata), labels: { ...(isRecord(labels) ? labels : {}), ...testLabels } };
  const body = { ...asRecord(definition), metadata: labelled };
  const made = await api.request({ method: "POST", path, body });
  if (made.status !== 201 && made.status !== 409) throw new Error(`${name}: ${describeAnswer(made)}`);
  await eventually(
    async () =>
      (await api.request({ path: `/apis/${group}/${version}/${plural}`, query: { limit: "1" } })).status === 200,
    20_000,
  );
}

function readDefinition(value: unknown) {
  const { metadata, spec } = asRecord(value);
  const { group, names, versions } = asRecord(spec);
  const [version] = Array.isArray(versions) ? (versions as unknown[]) : [];
  return {
    name: String(asRecord(metadata)["name"]),
    group: String(group),
    plural: String(asRecord(names)["plural"]),
    version: String(asRecord(version)["name"]),
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw new Error("not a resource definition");
  return value;
}
