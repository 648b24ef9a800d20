import type { MeshView } from "../mesh-view.ts";
import { cut, useNarrowed } from "./narrowed.tsx";

/** Every policy and route with its conditions, those with problems first; and all problems, line by line. */
export function Policies({ policies, problems }: Pick<MeshView, "policies" | "problems">) {
  const sorted = policies.toSorted((a, b) => Number(isWell(a)) - Number(isWell(b)));
  const { shown, rest, filter } = useNarrowed(sorted, "Filter policies", "RetryPolicy shop/orders", wordsOf);
  const wrong = cut(problems);
  return (
    <section id="policies" aria-labelledby="policies-title">
      <h2 id="policies-title">Policies</h2>
      {problems.length > 0 && (
        <ul class="problems" aria-label="Problems">
          {wrong.shown.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {wrong.rest}
      {policies.length === 0 && <p class="empty">No policies.</p>}
      {filter}
      <div class="wide" tabIndex={0} role="region" aria-label="Table of policies">
        <table>
          <caption>What became of each policy</caption>
          <thead>
            <tr>
              <th scope="col">Policy</th>
              <th scope="col">Conditions</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ kind, name, conditions }) => (
              <tr key={`${kind} ${name}`}>
                <th scope="row">
                  {kind} <a href={`#/policy/${kind}/${name}`}>{name}</a>
                </th>
                <td>
                  {conditions.map(({ type, status, message, good }) => (
                    <p key={type} class={good ? "good" : "bad"}>
                      {type} {status}
                      {message !== "" && <span class="words"> {message}</span>}
                    </p>
                  ))}
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

function wordsOf({ kind, name }: MeshView["policies"][number]): string {
  return `${kind} ${name}`;
}

function isWell({ conditions }: MeshView["policies"][number]): boolean {
  return conditions.every(({ good }) => good);
}
