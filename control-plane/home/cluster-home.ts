/** In a cluster, everything is stored in the API server and nowhere else, so any replica may die. */

import { setTimeout as sleep } from "node:timers/promises";
import { backoffDelayMs } from "../../model/backoff.ts";
import { type Log, reasonOf } from "../../system/log.ts";
import { CaSecretStore, caSecretName, openCaSecret, watchCaSecret } from "../identity/ca-secret.ts";
import { ClusterTokens } from "../identity/cluster-tokens.ts";
import { bundleOf } from "../identity/issuer.ts";
import { clusterReviewLimits } from "../identity/review-queue.ts";
import type { KeptSigner } from "../identity/rotation.ts";
import { TrustBundleKeeper } from "../identity/trust-bundle.ts";
import { meshNamespace } from "../index/facts.ts";
import { type ClusterApi, openClusterApi } from "../kubernetes/cluster-api.ts";
import { watchCluster } from "../source/kubernetes/cluster-source.ts";
import type { Home } from "./home.ts";

const pace = { initialDelayMs: 500, backoffMultiplier: 2, maxDelayMs: 10_000, jitter: 0.5 };

/** Waits for an API server that does not answer. Rejects with a one-line error if no cluster is configured. */
export async function openClusterHome(
  kubeconfig: string | undefined,
  trustDomain: string,
  log: Log,
  signal: AbortSignal,
): Promise<Home> {
  const api = await openClusterApi(kubeconfig);
  const signer = await openSigner(api, trustDomain, log, signal);
  const bundles = new TrustBundleKeeper(bundleOf(signer.issuer), { api, log, signal });
  return {
    signer,
    signerStore: new CaSecretStore(api),
    place: { kind: "cluster", namespace: meshNamespace, secret: caSecretName },
    api,
    tokens: new ClusterTokens(api, Date.now),
    reviewLimits: clusterReviewLimits,
    unwritten: () => bundles.unwritten.map((namespace) => `namespace ${namespace}`),
    async watch({ onChange, onSigner, signal }) {
      watchCaSecret({
        api,
        log,
        signal,
        onSigner: (kept) => {
          bundles.replace(bundleOf(kept.issuer));
          onSigner(kept);
        },
      });
      await watchCluster({
        api,
        log,
        signal,
        onChange: (change) => {
          bundles.apply(change);
          onChange(change);
        },
      });
      bundles.start();
    },
    close: () => api.close(),
  };
}

/** There is nothing to serve without a signer, so it waits as long as it takes. */
async function openSigner(api: ClusterApi, trustDomain: string, log: Log, signal: AbortSignal): Promise<KeptSigner> {
  for (let failures = 1; ; failures++) {
    try {
      return await openCaSecret(api, trustDomain, Date.now());
    } catch (error) {
      log("warn", "no signer yet", { reason: reasonOf(error) });
    }
    await sleep(backoffDelayMs(pace, failures, Math.random), undefined, { signal });
  }
}
