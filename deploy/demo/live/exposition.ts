/** Parses the output of a Prometheus endpoint: samples only, ignoring comments and timestamps. */

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const line = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const label = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export function parseExposition(text: string): readonly Sample[] {
  return text.split("\n").flatMap((row) => {
    const [, name, labels = "", value = ""] = line.exec(row) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(label)].map(([, key = "", escaped = ""]) => [key, unescape(escaped)] as const);
    return [{ name, labels: new Map(pairs), value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value) }];
  });
}

function unescape(escaped: string): string {
  return escaped.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}
