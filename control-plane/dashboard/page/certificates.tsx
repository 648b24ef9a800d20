import type { MeshView } from "../mesh-view.ts";
import { formatLeft } from "./format.ts";
import { useNarrowed } from "./narrowed.tsx";

/** Every connected sidecar: its identity, and how long its certificate remains valid. */
export function Certificates({ sidecars }: Pick<MeshView, "sidecars">) {
  const { shown, rest, filter } = useNarrowed(sidecars, "Filter sidecars", "shop/orders", wordsOf);
  return (
    <section id="certificates" aria-labelledby="certificates-title">
      <h2 id="certificates-title">Certificates</h2>
      {sidecars.length === 0 && <p class="empty">No sidecar is connected.</p>}
      {filter}
      <div class="wide" tabIndex={0} role="region" aria-label="Table of sidecars">
        <table>
          <caption>Sidecars that are connected</caption>
          <thead>
            <tr>
              <th scope="col">Pod</th>
              <th scope="col">Identity</th>
              <th scope="col">Version</th>
              <th scope="col" class="figure">
                Certificate ends in
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ pod, identity, version, certificateEndsMs }) => (
              <tr key={pod}>
                <th scope="row">{pod}</th>
                <td class="identity">{identity}</td>
                <td>{version}</td>
                <td class="figure">
                  {certificateEndsMs === undefined ? "not said yet" : formatLeft(certificateEndsMs - Date.now())}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rest}
    </section>
  );
}

function wordsOf({ pod, identity, version }: MeshView["sidecars"][number]): string {
  return `${pod} ${identity} ${version}`;
}
