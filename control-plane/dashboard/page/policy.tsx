import type { Holder } from "../../push/acks.ts";
import type { MeshView } from "../mesh-view.ts";
import { useFetched } from "./fetched.ts";
import { Policies } from "./policies.tsx";

/** One policy, and which sidecars have it. `name` is `Kind/namespace/name`. */
export function Policy({ view, name }: { readonly view: MeshView; readonly name: string }) {
  const policies = view.policies.filter((policy) => `${policy.kind}/${policy.name}` === name);
  const fetched = useFetched<readonly Holder[]>(`/api/policies/${name}`, view);
  return (
    <>
      <Policies policies={policies} problems={[]} />
      <section aria-labelledby="holders-title">
        <h2 id="holders-title">Sidecars that have it</h2>
        <p class="words">
          Those that are connected to this replica of the control plane and asked for what it is part of.
        </p>
        {fetched.kind === "here" && fetched.value.length === 0 && <p class="empty">None asked for it.</p>}
        {fetched.kind === "here" && fetched.value.length > 0 && (
          <div class="wide" tabIndex={0} role="region" aria-label="Table of sidecars that have it">
            <table>
              <thead>
                <tr>
                  <th scope="col">Pod</th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                {fetched.value.map(({ pod, standing, reason = "" }) => (
                  <tr key={pod}>
                    <th scope="row">{pod}</th>
                    <td class={standing === "acked" ? "good" : standing === "nacked" ? "bad" : "poor"}>
                      {words[standing]} {reason}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    </>
  );
}

const words: Readonly<Record<Holder["standing"], string>> = {
  acked: "in force",
  nacked: "refused, the former one stays:",
  waiting: "not confirmed yet",
};
