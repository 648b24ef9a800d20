/**
 * Runs in a network namespace of its own (`unshare --net`): the init container's program, as it is.
 * Prints what was seen as one JSON object; `../redirect.test.ts` says what it has to be.
 */

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { podFamilies } from "../../../sidecar/redirect/apply.ts";
import { tryRedirect } from "../../../sidecar/redirect/verify.ts";
import { run, setUpLoopback } from "../../support/namespace.ts";
import { dialRaw } from "../../support/sockets.ts";

const nothing = { inboundPorts: [], outboundPorts: [], outboundRanges: [] };
const program = join(import.meta.dirname, "../../../sidecar/redirect/main.ts");

function init(env: Readonly<Record<string, string>> = {}) {
  const { status, stderr } = spawnSync(process.execPath, [program], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  const lines = stderr.trim().split("\n");
  const notes = lines.slice(0, -1).map((line) => (JSON.parse(line) as { readonly note?: string }).note);
  return { status, said: lines.at(-1), notes };
}

/** Beside a rule of iptables-legacy; null: this kernel has no tables for those. */
function initBesideLegacy() {
  const rule = ["-t", "nat", "-A", "OUTPUT", "-d", "192.0.2.200", "-j", "RETURN"];
  return spawnSync("iptables-legacy", rule).status === 0 ? init() : null;
}

function rules(command: string): string[] {
  const { stdout } = spawnSync(`${command}-save`, ["-t", "nat"], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line.startsWith("-A"));
}

/** As a pod has it: an address of each family, and a way out that leads nowhere. */
function setUpPod(): void {
  setUpLoopback([]);
  run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "cable");
  run("ip", "link", "set", "cable", "up");
  run("ip", "address", "add", "10.1.0.9/24", "dev", "eth0");
  run("ip", "-6", "address", "add", "fd00:1::9/64", "dev", "eth0", "nodad");
  run("ip", "link", "set", "eth0", "up");
  run("ip", "route", "add", "default", "dev", "eth0");
  run("ip", "-6", "route", "add", "default", "dev", "eth0");
}

/** Which of these addresses are answered by who listens on the sidecar's outbound port. */
async function redirected(addresses: readonly { readonly host: string; readonly port: number }[]): Promise<boolean[]> {
  const server = net.createServer((socket) => socket.on("error", () => {}).end("sidecar")).listen(15_001, "127.0.0.1");
  await once(server, "listening");
  const seen = await Promise.all(
    addresses.map(async (address) => {
      const socket = dialRaw(address);
      const signal = AbortSignal.timeout(500);
      try {
        const [greeting] = (await once(socket, "data", { signal })) as [Buffer];
        return greeting.toString() === "sidecar";
      } catch {
        return false;
      } finally {
        socket.destroy();
      }
    }),
  );
  server.close();
  return seen;
}

setUpPod();
const before = await tryRedirect("ipv4", nothing);
const first = init();
const once4 = rules("iptables-nft");
const once6 = rules("ip6tables-nft");
const second = init();
const twice4 = rules("iptables-nft");
const triedIpv6 = await tryRedirect("ipv6", nothing);
const plain = await redirected([
  { host: "192.0.2.7", port: 80 },
  { host: "192.0.2.7", port: 53 },
  { host: "192.0.2.7", port: 15_008 },
]);
const changed = init({
  TULLE_SKIP_INBOUND_PORTS: "9090",
  TULLE_SKIP_OUTBOUND_PORTS: "5432",
  TULLE_SKIP_OUTBOUND_RANGES: "198.51.100.0/24,fd00:2::/32",
});
const changed4 = rules("iptables-nft");
const changed6 = rules("ip6tables-nft");
const withSkips = await redirected([
  { host: "192.0.2.7", port: 80 },
  { host: "192.0.2.7", port: 5_432 },
  { host: "198.51.100.7", port: 80 },
]);
const wrong = init({ TULLE_SKIP_OUTBOUND_PORTS: "0", TULLE_SKIP_OUTBOUND_RANGES: "10.0.0.0/33" });
const besideLegacy = initBesideLegacy();
run("iptables-nft", "-w", "-t", "nat", "-I", "OUTPUT", "-p", "tcp", "-j", "RETURN");
const overruled = init();
const rulesSeen = { once4, twice4, once6, changed4, changed6 };
const dialled = { before, triedIpv6, plain, withSkips };
const endings = { first, second, changed, wrong, besideLegacy, overruled };
console.log(JSON.stringify({ families: podFamilies(), ...rulesSeen, ...dialled, ...endings }));
process.exit(0);
