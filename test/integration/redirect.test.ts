/** The init container's program, with real rules in a network namespace of its own: see `redirect/namespace.ts`. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";

const script = join(import.meta.dirname, "redirect/namespace.ts");

interface Seen {
  readonly families: readonly string[];
  readonly [name: string]: unknown;
}
let seen: Seen = { families: [] };

beforeAll(async () => {
  // The rules name the sidecar's user, and the kernel takes no user that the namespace has no number for.
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user", "--map-auto"];
  const inNamespace = [...asRoot, "--net", process.execPath, script];
  try {
    const { stdout } = await promisify(execFile)("unshare", inNamespace, { timeout: 60_000 });
    seen = JSON.parse(stdout) as Seen;
  } catch (error) {
    const needed = "what `apt-get install util-linux iproute2 iptables uidmap` brings";
    throw new Error(`the namespace's script failed; it needs ${needed}`, { cause: error });
  }
}, 65_000);

const ending = { status: 0, said: expect.stringContaining("redirect set and tried") as unknown, notes: [] };

it("sets the rules of both families, tries them, and ends with 0", () => {
  expect(seen.families).toEqual(["ipv4", "ipv6"]);
  expect(seen["first"]).toEqual(ending);
  expect(seen["once4"]).toEqual([
    "-A PREROUTING -p tcp -j TULLE_INBOUND",
    "-A OUTPUT -p tcp -j TULLE_OUTBOUND",
    "-A TULLE_INBOUND -p tcp -m tcp --dport 15001 -j RETURN",
    "-A TULLE_INBOUND -p tcp -m tcp --dport 15006 -j RETURN",
    "-A TULLE_INBOUND -p tcp -m tcp --dport 15008 -j RETURN",
    "-A TULLE_INBOUND -p tcp -m tcp --dport 15020 -j RETURN",
    "-A TULLE_INBOUND -p tcp -j REDIRECT --to-ports 15006",
    "-A TULLE_OUTBOUND -m owner --uid-owner 1337 -j RETURN",
    "-A TULLE_OUTBOUND -o lo -j RETURN",
    "-A TULLE_OUTBOUND -d 127.0.0.0/8 -j RETURN",
    "-A TULLE_OUTBOUND -p tcp -m tcp --dport 53 -j RETURN",
    "-A TULLE_OUTBOUND -p tcp -m tcp --dport 15008 -j RETURN",
    "-A TULLE_OUTBOUND -p tcp -m tcp --dport 15020 -j RETURN",
    "-A TULLE_OUTBOUND -p tcp -j REDIRECT --to-ports 15001",
  ]);
  expect(seen["once6"]).toContain("-A TULLE_OUTBOUND -d ::1/128 -j RETURN");
  expect(seen["triedIpv6"]).toBeUndefined();
});

it("changes nothing when it runs again", () => {
  expect(seen["second"]).toEqual(ending);
  expect(seen["twice4"]).toEqual(seen["once4"]);
});

it("redirects what leaves the pod, and leaves DNS and the mesh's own ports alone", () => {
  expect(seen["plain"]).toEqual([true, false, false]);
});

it("leaves skipped ports and ranges alone", () => {
  expect(seen["changed"]).toEqual(ending);
  expect(seen["changed4"]).toContain("-A TULLE_INBOUND -p tcp -m tcp --dport 9090 -j RETURN");
  expect(seen["changed4"]).toContain("-A TULLE_OUTBOUND -d 198.51.100.0/24 -j RETURN");
  expect(seen["changed6"]).toContain("-A TULLE_OUTBOUND -d fd00:2::/32 -j RETURN");
  expect(seen["withSkips"]).toEqual([true, false, false]);
});

it("names every invalid value", () => {
  expect(seen["wrong"]).toEqual({
    status: 2,
    said: "tulle-init: TULLE_SKIP_OUTBOUND_PORTS: must hold ports, got 0; TULLE_SKIP_OUTBOUND_RANGES: must hold IP ranges, got 10.0.0.0/33",
    notes: [],
  });
});

it("reports that iptables-legacy also has rules in the pod, and continues if its own work", ({ skip }) => {
  if (seen["besideLegacy"] === null) skip("this kernel has no tables for iptables-legacy");
  const note = "iptables-legacy has a nat table in this pod, beside the rules (nft) set here";
  expect(seen["besideLegacy"]).toEqual({ ...ending, notes: [note] });
});

it("detects that connections are not redirected: before its rules are set, and if other rules come first", () => {
  expect(seen["before"]).toMatch(/no redirect is set|no connection tracking|was not redirected/);
  expect(seen["overruled"]).toMatchObject({ status: 2, said: expect.stringMatching(/was not redirected/) as unknown });
});
