/**
 * Weighted rendezvous hashing: which of several names a key belongs to, without a table to keep in sync. Adding or removing a
 * name, or changing its weight, moves only the keys that it gains or loses. (Thaler and Ravishankar's highest random weight;
 * the logarithm, which makes shares proportional to weights, is Schindelhauer and Schomaker's.)
 */

/** The score of `name` for `key`; the highest among the names wins. Weight 0 never wins against a positive one. */
export function rendezvousScore(key: string, name: string, weight = 1): number {
  if (weight <= 0) return Number.NEGATIVE_INFINITY;
  // The change in between keeps ("ab", "c") and ("a", "bc") apart.
  const hash = mix(fnv1a(key, fnv1a(name) ^ 0x00ff));
  const uniform = (hash + 0.5) / 2 ** 32;
  return -weight / Math.log(uniform);
}

/** FNV-1a over the code units. */
function fnv1a(text: string, from = 0x811c9dc5): number {
  let hash = from;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Murmur3's finaliser: FNV alone leaves its last characters in the low bits. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
