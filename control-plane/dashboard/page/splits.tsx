import type { MeshView } from "../mesh-view.ts";
import { formatShare } from "./format.ts";
import { useNarrowed } from "./narrowed.tsx";

/** Each split as configured, above the observed one. */
export function Splits({ splits }: Pick<MeshView, "splits">) {
  const { shown, rest, filter } = useNarrowed(splits, "Filter splits", "shop/catalog", wordsOf);
  return (
    <section id="splits" aria-labelledby="splits-title">
      <h2 id="splits-title">Splits</h2>
      {splits.length === 0 && <p class="empty">Nothing is split.</p>}
      {filter}
      {shown.map(({ service, route, backends }) => (
        <article key={`${service} ${route}`} class="split">
          <h3>
            {service} <small>{route}</small>
          </h3>
          <Bar label="wanted" shares={backends.map(({ service: name, wanted }) => [name, wanted])} />
          <Bar label="observed" shares={backends.map(({ service: name, observed }) => [name, observed])} />
        </article>
      ))}
      {rest}
    </section>
  );
}

function wordsOf({ service, route, backends }: MeshView["splits"][number]): string {
  return `${service} ${route} ${backends.map((backend) => backend.service).join(" ")}`;
}

interface BarProps {
  readonly label: string;
  readonly shares: readonly (readonly [service: string, share: number | undefined])[];
}

function Bar({ label, shares }: BarProps) {
  const present = shares.filter(([, share]) => share !== undefined && share > 0);
  const words = present.map(([service, share = 0]) => `${service} ${formatShare(share)}`).join(", ");
  return (
    <div class="bar">
      <p>
        {label}: {present.length === 0 ? "no traffic" : words}
      </p>
      <div class="parts" aria-hidden="true">
        {shares.map(([service, share = 0], index) => (
          <span key={service} class={`part-${index % 4}`} style={{ flexGrow: share }} />
        ))}
      </div>
    </div>
  );
}
