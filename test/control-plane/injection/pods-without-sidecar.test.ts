import { beforeEach, describe, expect, it } from "vitest";
import { PodsWithoutSidecar } from "../../../control-plane/injection/pods-without-sidecar.ts";
import { changeOf } from "../../support/manifests.ts";

let pods: PodsWithoutSidecar;
beforeEach(() => {
  pods = new PodsWithoutSidecar("tulle-system");
});

const enabled = "labels: {tulle.dev/inject: enabled}";
const disabled = "labels: {tulle.dev/inject: disabled}";
const namespace = (name: string, fields = "") =>
  `{apiVersion: v1, kind: Namespace, metadata: {name: ${name}, ${fields}}}\n---\n`;
const pod = (namespace: string, name: string, fields = "", phase = "Running") =>
  `{apiVersion: v1, kind: Pod, metadata: {namespace: ${namespace}, name: ${name}, ${fields}}, status: {phase: ${phase}}}\n---\n`;

function found(yaml: string, removed: readonly string[] = []): string[] {
  pods.apply(changeOf(yaml, removed));
  return pods.list().map(({ namespace, name }) => `${namespace}/${name}`);
}

describe("pods without a sidecar", () => {
  it("are those of a labelled namespace, sorted, whichever came first", () => {
    expect(found(pod("shop", "b") + pod("shop", "a") + pod("other", "c"))).toEqual([]);
    expect(found(namespace("shop", enabled) + namespace("other"))).toEqual(["shop/a", "shop/b"]);
  });

  it("are those whose own label asks for a sidecar, and not those whose label declines it", () => {
    const asked = pod("other", "asks", enabled) + pod("shop", "declines", disabled);
    expect(found(namespace("shop", enabled) + asked)).toEqual(["other/asks"]);
  });

  it("are no longer counted once they have a sidecar, have ended or are gone, or their namespace has lost its label", () => {
    const all = ["a", "b", "c", "d"].map((name) => pod("shop", name)).join("");
    expect(found(namespace("shop", enabled) + all)).toEqual(["shop/a", "shop/b", "shop/c", "shop/d"]);
    expect(found(pod("shop", "a", "annotations: {tulle.dev/proxy-version: '1'}"))).toHaveLength(3);
    expect(found(pod("shop", "b", "", "Succeeded"))).toHaveLength(2);
    expect(found("", ["Pod shop/c"])).toEqual(["shop/d"]);
    expect(found(namespace("shop"))).toEqual([]);
  });

  it("exclude those that injection skips: the cluster's own, the mesh's own, static pods", () => {
    const exempt = ["kube-system", "tulle-system"].map((name) => namespace(name, enabled) + pod(name, "a", enabled));
    const mirror = pod("shop", "static", "annotations: {kubernetes.io/config.mirror: ''}");
    expect(found(exempt.join("") + namespace("shop", enabled) + mirror)).toEqual([]);
  });
});
