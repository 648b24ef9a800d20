/** The scenarios refuse to run in a cluster that already has a mesh. */

import { expect, inject, it } from "vitest";
import { openClusterApi } from "../../../control-plane/kubernetes/cluster-api.ts";
import { refuseWhatIsInUse } from "../given-cluster.ts";

it("scenarios refuse a cluster with a mesh or its definitions, and name them", async () => {
  const api = await openClusterApi(inject("kubeconfig"));
  await expect(refuseWhatIsInUse(api)).rejects.toThrow(
    /scenarios would delete what is yours: namespace tulle-system, .*retrypolicies\.tulle\.dev/,
  );
  api.close();
});
