/** From the name that an application dials to the Service that it means, as a pod's resolver would search for it. */

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const ipv4 = /^\d+\.\d+\.\d+\.\d+$/;

/**
 * The full name of the destination, `orders.shop.svc.cluster.local:80`; undefined: nothing of the cluster's (an IP address,
 * a foreign or malformed name). `namespace` is that of the pod that dials.
 *
 * A name of two labels is taken as `service.namespace`, `example.com` too: only the control plane knows which exist.
 * A trailing dot turns the search off (RFC 1034, section 3.1): only a full name may have it.
 */
export function destinationName(
  host: string,
  port: number,
  namespace: string,
  clusterDomain = "cluster.local",
): string | undefined {
  const absolute = host.endsWith(".");
  const name = (absolute ? host.slice(0, -1) : host).toLowerCase();
  const suffix = `.svc.${clusterDomain}`;
  const full = name.endsWith(suffix);
  if ((absolute && !full) || name === "localhost" || ipv4.test(name)) return undefined;
  const short = full ? name.slice(0, -suffix.length) : name;
  const labels = short.split(".");
  if (!labels.every((label) => dnsLabel.test(label))) return undefined;
  const [service, itsNamespace = namespace, svc] = labels;
  if (full ? labels.length !== 2 : labels.length > 3 || (labels.length === 3 && svc !== "svc")) return undefined;
  return `${service}.${itsNamespace}${suffix}:${port}`;
}
