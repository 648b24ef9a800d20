import { expect, it } from "vitest";
import { printCertificates, printProgress } from "../../../cli/certs/print.ts";
import { coloured, plain } from "../../../cli/terminal.ts";
import type { CertificatesView } from "../../../control-plane/identity/certificates-view.ts";

const nowMs = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

type Sidecar = CertificatesView["sidecars"][number];

const rootOf = (digit: string, days: number) => ({
  id: digit.repeat(64),
  subject: `CN=root ${digit}`,
  notBeforeMs: nowMs - dayMs,
  notAfterMs: nowMs + days * dayMs,
});

const sidecarOf = (workload: string, pod: string, leftMs: number, lacks?: string): Sidecar => ({
  workload: `shop/${workload}`,
  pod: `shop/${pod}`,
  identity: `spiffe://cluster.local/ns/shop/sa/${workload}`,
  replica: "one",
  notAfterMs: nowMs + leftMs,
  ...(lacks !== undefined && { lacks }),
});

const settled: CertificatesView = {
  trustDomain: "cluster.local",
  place: { kind: "folder", path: "/state" },
  signer: rootOf("a", 3_649),
  roots: [{ ...rootOf("a", 3_649), role: "signs" }],
  rotation: { phase: "settled", asked: false, lacks: [] },
  replicas: [{ replica: "one", sidecars: 3 }],
  sidecars: [
    sidecarOf("orders", "orders-1", 23 * hourMs),
    sidecarOf("orders", "orders-2", 119 * 60_000),
    sidecarOf("web", "web-1", 47 * hourMs),
  ],
};

const spreading: CertificatesView = {
  ...settled,
  roots: [
    { ...rootOf("a", 3), role: "signs" },
    { ...rootOf("b", 3_650), role: "next" },
  ],
  rotation: {
    phase: "spreading",
    asked: false,
    lacks: [{ who: "shop/web-1", why: `does not trust root ${"b".repeat(12)} yet` }],
  },
  sidecars: settled.sidecars.map((sidecar) =>
    sidecar.pod === "shop/web-1" ? { ...sidecar, lacks: "a root" } : sidecar,
  ),
};

it("shows the roots, and each workload's first certificate to expire", () => {
  expect(printCertificates(settled, plain, nowMs)).toBe(
    `ROOT          ROLE   ENDS IN  SUBJECT
aaaaaaaaaaaa  signs   3649 d  CN=root a

no rotation under way

WORKLOAD     READY  ENDS IN
shop/orders    2/2  119 min
shop/web       1/1     47 h

3 sidecars at 1 replica of the control plane
`,
  );
});

it("names what is missing during a rotation", () => {
  expect(printCertificates(spreading, plain, nowMs)).toBe(
    `ROOT          ROLE        ENDS IN  SUBJECT
aaaaaaaaaaaa  signs           3 d  CN=root a
bbbbbbbbbbbb  comes next   3650 d  CN=root b

rotation 1/3: the next root is being trusted everywhere
  shop/web-1 does not trust root bbbbbbbbbbbb yet

WORKLOAD     READY  ENDS IN
shop/orders    2/2  119 min
shop/web       0/1     47 h

3 sidecars at 1 replica of the control plane
`,
  );
});

it("shows that an intermediate signs, that a certificate has expired, and that there is no sidecar", () => {
  const text = printCertificates(
    { ...settled, signer: rootOf("c", 20), roots: [{ ...rootOf("a", 0), role: "trusted" }], sidecars: [] },
    plain,
    nowMs,
  );
  expect(text).toBe(
    `ROOT          ROLE     ENDS IN  SUBJECT
aaaaaaaaaaaa  trusted    ended  CN=root a
signed by an intermediate: CN=root c, for 20 d

no rotation under way

0 sidecars at 1 replica of the control plane
`,
  );
});

it("names ten that lack something, and counts the rest", () => {
  const lacks = Array.from({ length: 12 }, (_, n) => ({ who: `shop/web-${n}`, why: "has no certificate" }));
  const text = printCertificates({ ...settled, rotation: { ...settled.rotation, lacks } }, plain, nowMs);
  expect(text).toContain("\n  shop/web-9 has no certificate\n  and 2 more\n");
  expect(text).not.toContain("shop/web-10");
});

it("shows that a rotation is requested and has not begun", () => {
  const asked = { ...settled, rotation: { ...settled.rotation, asked: true } };
  expect(printCertificates(asked, plain, nowMs)).toContain("\nrotation asked for, not begun yet\n");
});

it("follows a rotation from the request to its end", () => {
  const reissuing = { ...settled, rotation: { ...settled.rotation, phase: "reissuing" } } as const;
  expect([
    printProgress(settled, false, plain),
    printProgress(spreading, true, plain),
    printProgress(reissuing, true, plain),
    printProgress(settled, true, plain),
  ]).toEqual([
    "asked for, not begun yet\n",
    "rotation 1/3: the next root is being trusted everywhere: 2/3 sidecars\n  shop/web-1 does not trust root bbbbbbbbbbbb yet\n",
    "rotation 2/3: certificates of the new root are being issued: 3/3 sidecars\n",
    "done: root aaaaaaaaaaaa signs\n",
  ]);
});

it("is red on a terminal if something is missing", () => {
  expect(printCertificates(spreading, coloured, nowMs)).toContain("\u001b[31m  shop/web-1 does not trust");
});
