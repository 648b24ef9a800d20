/** Renders a picture of the mesh as lines of at most `columns` characters. Pure; colour is the caller's choice. */

import type { Colour, Paint } from "../../../cli/terminal.ts";
import type { Edge, Picture, Split, SplitBackend } from "./picture.ts";

export interface ScreenInput {
  readonly picture: Picture;
  readonly upMs: number;
  /** Latest last: `16:20:31 ready catalog-v2-1`. */
  readonly events: readonly string[];
  /** Current problems in the folder. */
  readonly problems: readonly string[];
  /** The length of the window that figures are computed over. */
  readonly windowMs: number;
  /** The file that the reader is invited to edit. */
  readonly policyFile: string;
}

interface Size {
  readonly columns: number;
  readonly rows: number;
}

const widest = 100;

export function drawScreen(input: ScreenInput, size: Size, paint: Paint): readonly string[] {
  const columns = Math.min(size.columns, widest);
  const { picture } = input;
  const upper = [
    headline(input, columns, paint),
    "",
    ...drawEdges(picture.edges, columns, paint),
    "",
    ...picture.splits.flatMap((split) => [...drawSplit(split, columns, input.windowMs, paint), ""]),
    ...drawHealth(picture, columns, paint),
    "",
  ];
  const problems = input.problems.flatMap((problem) =>
    wrap(problem, columns - 2).map((line) => paint("red", `  ${line}`)),
  );
  const lower = drawHints(input.policyFile, columns, paint);
  const room = Math.max(size.rows - upper.length - problems.length - lower.length - 2, 1);
  const events = input.events.slice(-Math.min(room, 6)).map((event) => paint("dim", fit(`  ${event}`, columns)));
  return [...upper, ...problems, ...events, ...(events.length > 0 ? [""] : []), ...lower].slice(0, size.rows);
}

/** One line for output to a pipe, without redrawing or colour. */
export function drawLine({ picture, upMs }: Pick<ScreenInput, "picture" | "upMs">): string {
  const edges = picture.edges.map((edge) => {
    const success = edge.successPercent === undefined ? "" : ` ${formatPercent(edge.successPercent)} ok`;
    return `${edge.from}->${edge.to} ${edge.perSecond.toFixed(1)}/s${success} p99 ${formatMs(edge.p99Ms)} ms`;
  });
  const splits = picture.splits.map(({ service, backends }) => {
    const shares = backends.map(({ name, wantedPercent, seenPercent }) => {
      return `${name} ${seenPercent?.toFixed(0) ?? "-"} % of ${wantedPercent.toFixed(0)} %`;
    });
    return `split ${service}: ${shares.join(", ")}`;
  });
  const breakers = picture.trippedBreakers.map(({ endpoint, state }) => `breaker ${endpoint} ${state}`);
  return [`${Math.round(upMs / 1_000)} s`, ...edges, ...splits, ...breakers].join(" | ");
}

function headline({ upMs, picture }: ScreenInput, columns: number, paint: Paint): string {
  const title = "Tulle, the demo shop";
  const right = `${formatDuration(upMs)} up, ${picture.sidecars.count} sidecars, Ctrl-C stops`;
  const room = columns - title.length - 1;
  return paint("bold", title) + (right.length > room ? "" : ` ${paint("dim", right.padStart(room))}`);
}

/** A column of the table of edges; a narrow terminal shows only the essential ones. */
interface Column {
  readonly title: string;
  readonly width: number;
  readonly always: boolean;
  readonly cell: (edge: Edge) => string;
}

const table: readonly Column[] = [
  { title: "REQ/S", width: 8, always: true, cell: ({ perSecond }) => perSecond.toFixed(1) },
  { title: "OK", width: 9, always: true, cell: ({ successPercent }) => formatPercent(successPercent) },
  { title: "P50 ms", width: 9, always: false, cell: ({ p50Ms }) => formatMs(p50Ms) },
  { title: "P99 ms", width: 9, always: true, cell: ({ p99Ms }) => formatMs(p99Ms) },
  { title: "RETRIES/S", width: 11, always: false, cell: ({ retriesPerSecond }) => retriesPerSecond.toFixed(1) },
];
const narrow = 70;

function drawEdges(edges: readonly Edge[], columns: number, paint: Paint): readonly string[] {
  const shown = table.filter(({ always }) => always || columns >= narrow);
  const row = (name: string, cells: readonly string[]) => {
    const right = shown.map(({ width }, index) => (cells[index] ?? "").padStart(width)).join("");
    const room = columns - right.length;
    return fit(name, room).padEnd(room) + right;
  };
  const header = row(
    "WHO CALLS WHOM",
    shown.map(({ title }) => title),
  );
  if (edges.length === 0) return [paint("dim", header), paint("dim", "  no request yet")];
  return [
    paint("dim", header),
    ...edges.map((edge) => {
      const line = row(
        `${edge.from} → ${edge.to}`,
        shown.map(({ cell }) => cell(edge)),
      );
      const { successPercent } = edge;
      return successPercent === undefined
        ? line
        : paintWord(line, formatPercent(successPercent), healthColour(successPercent), paint);
    }),
  ];
}

function healthColour(successPercent: number): Colour {
  return successPercent >= 99.9 ? "green" : successPercent >= 95 ? "yellow" : "red";
}

function drawSplit(split: Split, columns: number, windowMs: number, paint: Paint): readonly string[] {
  const title = `SPLIT OF ${split.service} (seen in the last ${(windowMs / 1_000).toFixed(1)} s)`;
  return [paint("dim", fit(title, columns)), ...split.backends.map((backend) => drawBackend(backend, columns, paint))];
}

const minBar = 8;

function drawBackend({ name, seenPercent, wantedPercent }: SplitBackend, columns: number, paint: Paint): string {
  const seen = seenPercent === undefined ? "-" : `${seenPercent.toFixed(0)} %`;
  const text = `  ${name.padEnd(12)} seen ${seen.padStart(5)} wanted ${wantedPercent.toFixed(0).padStart(3)} %  `;
  const width = columns - text.length;
  if (width < minBar) return fit(text.trimEnd(), columns);
  const filled = Math.round(((seenPercent ?? 0) / 100) * width);
  return text + paint("cyan", "█".repeat(filled) + "·".repeat(width - filled));
}

function drawHealth(picture: Picture, columns: number, paint: Paint): readonly string[] {
  const { count, connected, certificateAgeMs, certificateLeftMs } = picture.sidecars;
  const tripped = picture.trippedBreakers.map(({ from, backend, endpoint, state }) => {
    const line = fit(`  ${state.padEnd(10)} ${endpoint} of ${backend}, as ${from} sees it`, columns);
    return paint(state === "open" ? "red" : "yellow", line);
  });
  const age = certificateAgeMs === undefined ? "none yet" : `${formatDuration(certificateAgeMs)} old at most`;
  const left = certificateLeftMs === undefined ? "" : `, good for ${formatDuration(certificateLeftMs)}`;
  return [
    `${paint("dim", "BREAKERS")}      ${fit(`${picture.closedBreakers} closed, ${tripped.length} not`, columns - 14)}`,
    ...tripped,
    `${paint("dim", "CERTIFICATES")}  ${fit(`${age}${left}`, columns - 14)}`,
    `${paint("dim", "PUSH")}          ${fit(`${connected} of ${count} sidecars hear the control plane`, columns - 14)}`,
  ];
}

function drawHints(policyFile: string, columns: number, paint: Paint): readonly string[] {
  return [
    `${paint("bold", "Try")}  ${fit(`edit ${policyFile}: change the weights, save, and watch SPLIT`, columns - 5)}`,
  ];
}

function paintWord(line: string, word: string, colour: Colour, paint: Paint): string {
  const at = line.indexOf(word);
  return at < 0 ? line : line.slice(0, at) + paint(colour, word) + line.slice(at + word.length);
}

function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(width - 1, 0))}…`;
}

const maxWrapped = 3;

/** Breaks at spaces; a word longer than a line is broken too. Text beyond `maxWrapped` lines is replaced by an ellipsis. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width && lines.length < maxWrapped - 1) {
    const space = rest.lastIndexOf(" ", width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, fit(rest, width)];
}

function formatPercent(percent: number | undefined): string {
  if (percent === undefined) return "-";
  // 99.96 does not become 100: failures must stay visible.
  return `${percent === 100 ? "100" : Math.min(percent, 99.9).toFixed(1)} %`;
}

function formatMs(ms: number | undefined): string {
  return ms === undefined ? "-" : ms >= 100 ? ms.toFixed(0) : ms.toFixed(1);
}

function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
