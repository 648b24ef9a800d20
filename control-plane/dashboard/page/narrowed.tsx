/** Lists that may have thousands of items: as many are drawn as a person reads, and a filter finds the rest. */

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";

/** Nobody reads further, and redrawing more every two seconds would burden the reader's machine. */
const maxRows = 100;

export interface Cut<T> {
  readonly shown: readonly T[];
  /** Says how many items are not shown. */
  readonly rest: ComponentChild;
}

export function cut<T>(all: readonly T[]): Cut<T> {
  const more = all.length - maxRows;
  const rest = more <= 0 ? null : <p class="empty">{`${more} more of ${all.length} are not shown.`}</p>;
  return { shown: all.slice(0, maxRows), rest };
}

interface FilterProps {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly onChange: (wanted: string) => void;
}

export function Filter({ label, placeholder, value, onChange }: FilterProps) {
  return (
    <label class="filter">
      {label}{" "}
      <input
        type="search"
        value={value}
        placeholder={placeholder}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
    </label>
  );
}

/** A list with its own filter, which appears once it is needed. */
export function useNarrowed<T>(
  all: readonly T[],
  label: string,
  placeholder: string,
  wordsOf: (one: T) => string,
): Cut<T> & { readonly filter: ComponentChild } {
  const [wanted, setWanted] = useState("");
  const found = all.filter((one) => wordsOf(one).includes(wanted.trim()));
  const needed = all.length > maxRows || wanted !== "";
  const filter = needed ? <Filter label={label} placeholder={placeholder} value={wanted} onChange={setWanted} /> : null;
  const { shown, rest } = cut(found);
  return { shown, rest: all.length > 0 && found.length === 0 ? <p class="empty">None of that name.</p> : rest, filter };
}
