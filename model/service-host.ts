/** Maps the name that an application dials to the Service or pod that it means, as the pod's resolver would. */

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** As a StatefulSet calls its pods. */
const ordinalName = /-\d+$/;
const ipv4 = /^\d+\.\d+\.\d+\.\d+$/;

/**
 * The full name of the destination, `orders.shop.svc.cluster.local:80`, of one pod behind a headless Service
 * `db-0.db.shop.svc.cluster.local:5432`; undefined: nothing of the cluster's (an IP address, a foreign or malformed name).
 * `namespace` is that of the pod that dials.
 *
 * A name of two labels is taken as `service.namespace`, `example.com` too: only the control plane knows which exist. One of
 * three is a pod's where it begins as a StatefulSet's pods do, so that `www.example.com` is asked of nobody.
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
  const parts = short.split(".");
  if (!parts.every((label) => dnsLabel.test(label))) return undefined;
  const hasSvc = !full && parts.length > 2 && parts.at(-1) === "svc";
  const labels = hasSvc ? parts.slice(0, -1) : parts;
  const qualified = full || hasSvc;
  const [first = "", itsNamespace = namespace] = labels;
  switch (labels.length) {
    case 1:
      return qualified ? undefined : `${first}.${namespace}${suffix}:${port}`;
    case 2:
      return `${first}.${itsNamespace}${suffix}:${port}`;
    case 3:
      return qualified || ordinalName.test(first) ? `${labels.join(".")}${suffix}:${port}` : undefined;
    default:
      return undefined;
  }
}
