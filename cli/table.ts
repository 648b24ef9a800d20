/** Columns for a terminal: each as wide as its widest cell, two spaces apart. */

export interface Column {
  readonly title: string;
  /** Figures are aligned by their last digit. */
  readonly align?: "right";
}

/** No line ends with spaces. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, place) =>
    Math.max(title.length, ...rows.map((row) => (row[place] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, place) => {
        const cell = cells[place] ?? "";
        const width = widths[place] ?? 0;
        return align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}
