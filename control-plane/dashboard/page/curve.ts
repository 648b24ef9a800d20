/** The line of a call from one node to another, and where its figures are placed. Pure. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Curve {
  /** The `d` attribute of an SVG path. */
  readonly path: string;
  readonly label: Point;
}

/** The distance of a label's middle from the line's right end, so that it fits between two columns. */
const labelBeforeEnd = 58;
const labelAbove = 8;
const minBend = 40;
const bisections = 12;

/**
 * The line leaves and arrives horizontally. The figures are on the line, not beside its end, where they would cover those of
 * other lines that end there.
 */
export function curveBetween(from: Point, to: Point): Curve {
  const bend = Math.max((to.x - from.x) / 2, minBend);
  const [leaves, arrives] = [from.x + bend, to.x - bend];
  const path = `M ${from.x} ${from.y} C ${leaves} ${from.y}, ${arrives} ${to.y}, ${to.x} ${to.y}`;
  const x = to.x - labelBeforeEnd;
  const goesOn = to.x - from.x >= 2 * minBend;
  const y = goesOn ? heightAt(x, from, to, leaves, arrives) : to.y;
  return { path, label: { x, y: y - labelAbove } };
}

/** The height of the line at `x`, which it crosses once. */
function heightAt(x: number, from: Point, to: Point, leaves: number, arrives: number): number {
  let [low, high] = [0, 1];
  for (let step = 0; step < bisections; step++) {
    const middle = (low + high) / 2;
    if (bezier(middle, from.x, leaves, arrives, to.x) < x) low = middle;
    else high = middle;
  }
  return bezier(low, from.y, from.y, to.y, to.y);
}

function bezier(t: number, a: number, b: number, c: number, d: number): number {
  const s = 1 - t;
  return s ** 3 * a + 3 * s * s * t * b + 3 * s * t * t * c + t ** 3 * d;
}
