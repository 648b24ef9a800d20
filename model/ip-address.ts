import net from "node:net";

/** An IP address in the one form that the kernel gives it (RFC 5952, IPv6 without brackets); undefined: not one. */
export function canonicalIp(text: string): string | undefined {
  if (net.isIPv4(text)) return text;
  // Asked of each name that is dialled: Node's expression for it is a long one.
  return text.includes(":") && net.isIPv6(text)
    ? new net.SocketAddress({ address: text, family: "ipv6" }).address
    : undefined;
}
