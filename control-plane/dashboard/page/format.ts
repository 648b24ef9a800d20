/** Formats figures for people. */

export function formatRate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)}M/s`;
  if (perSecond >= 1e4) return `${Math.round(perSecond / 1e3)}k/s`;
  if (perSecond >= 100) return `${Math.round(perSecond)}/s`;
  return `${perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toFixed(1)}/s`;
}

/** Never 100 % if anything failed. */
export function formatShare(share: number): string {
  if (share === 1) return "100 %";
  const percent = Math.min(share * 100, 99.99);
  return `${percent >= 99 ? percent.toFixed(2) : percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

/** Whether an edge uses mutual TLS, by the share of its requests that do. */
export function formatMutualTls(share: number | undefined): string {
  if (share === undefined) return "unknown";
  if (share === 0) return "no";
  return share === 1 ? "yes" : formatShare(share);
}

/** The share over two sets of requests, weighted by their numbers; a set with an unknown share does not count. */
export function jointShare(
  a: { readonly rate: number; readonly share: number | undefined },
  b: { readonly rate: number; readonly share: number | undefined },
): number | undefined {
  if (a.share === undefined || b.share === undefined) return a.share ?? b.share;
  if (a.share === b.share) return a.share;
  return (a.rate * a.share + b.rate * b.share) / (a.rate + b.rate);
}

export function formatMs(ms: number | undefined): string {
  if (ms === undefined) return "over 30 s";
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms >= 10 ? Math.round(ms) : ms.toFixed(1)} ms`;
}

/** Shows the two largest units: `23 h 12 min`. */
export function formatLeft(ms: number): string {
  if (ms <= 0) return "over";
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}

/** How well it is going, for colours that accompany words and never stand alone. */
export function healthOf(successShare: number): "good" | "poor" | "bad" {
  if (successShare >= 0.999) return "good";
  return successShare >= 0.95 ? "poor" : "bad";
}
