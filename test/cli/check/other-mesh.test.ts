import { expect, it } from "vitest";
import type { Asked } from "../../../cli/check/finding.ts";
import { otherMesh } from "../../../cli/check/other-mesh.ts";
import type { Fields } from "../../../cli/cluster/fields.ts";

const ours = { "tulle.dev/inject": "enabled" };

function check(namespaces: readonly Fields[], webhooks: readonly string[] = []) {
  const list = () => Promise.resolve(webhooks.map((name) => ({ metadata: { name } })));
  const metas = namespaces.map((metadata) => ({ metadata }));
  return otherMesh.run({ cluster: { list }, namespaces: () => Promise.resolve(metas) } as unknown as Asked);
}

it("says how a namespace leaves the mesh that it is in besides", async () => {
  const [linkerd] = await check([{ name: "shop", labels: ours, annotations: { "linkerd.io/inject": "enabled" } }]);
  expect(linkerd).toEqual({
    verdict: "fail",
    says: "shop: also in Linkerd",
    fix: "kubectl annotate namespace shop linkerd.io/inject-",
  });
  const labels = { ...ours, "istio-injection": "enabled" };
  const [istio] = await check([{ name: "a", labels }, { name: "b", labels }, { name: "c" }]);
  expect(istio?.fix).toBe("kubectl label namespace a b istio-injection-");
});

it("warns of a mesh that shares the cluster, and of nothing where there is none", async () => {
  expect(await check([], ["linkerd-proxy-injector-webhook-config"])).toMatchObject([{ verdict: "warn" }]);
  expect(await check([{ name: "shop", labels: ours }], ["cert-manager-webhook"])).toEqual([
    { verdict: "ok", says: "none" },
  ]);
});
