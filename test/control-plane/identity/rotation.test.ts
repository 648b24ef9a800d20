/** The rotation of the root, arrow by arrow: what each changes, and that there is no other. */

import { describe, expect, it } from "vitest";
import { rootId } from "../../../control-plane/identity/certificate-fields.ts";
import { makeRoot } from "../../../control-plane/identity/issuer.ts";
import {
  begin,
  finish,
  readSigner,
  type SignerPems,
  switchOver,
  whyNotRotatable,
} from "../../../control-plane/identity/rotation.ts";
import { caConstraints, commonName, makeCertificate } from "../../support/certificates.ts";

const now = Date.UTC(2026, 5, 1);
const settled: SignerPems = makeRoot("cluster.local", now);
const root = makeRoot("cluster.local", now);
const spreading = begin(settled, root);
const reissuing = switchOver(spreading);
const again = finish(reissuing);

/** Who signs, who is trusted, and the phase. */
function seen(pems: SignerPems) {
  const { issuer, rotation } = readSigner(pems, "here");
  return { signs: rootId(issuer.certificate), trusted: issuer.trusted.map(rootId), phase: rotation.kind };
}

const former = seen(settled).signs;
const next = seen(root).signs;

describe("the root", () => {
  it("signs and is trusted alone while it is settled", () => {
    expect(seen(settled)).toEqual({ signs: former, trusted: [former], phase: "settled" });
  });

  it("settled ─▶ spreading: the next root is trusted too, and signs nothing", () => {
    expect(seen(spreading)).toEqual({ signs: former, trusted: [former, next], phase: "spreading" });
  });

  it("spreading ─▶ reissuing: the next root signs, the former is still trusted", () => {
    expect(seen(reissuing)).toEqual({ signs: next, trusted: [former, next], phase: "reissuing" });
    expect(reissuing.next).toBeUndefined();
    expect(reissuing.keyPem).toBe(root.keyPem);
  });

  it("reissuing ─▶ settled: the next root is alone, and nothing is left of the former", () => {
    expect(seen(again)).toEqual({ signs: next, trusted: [next], phase: "settled" });
    expect(again.formerPem).toBeUndefined();
  });

  it("stays trusted beside others that somebody else added", () => {
    const guest = makeRoot("elsewhere", now).certificatesPem;
    const withGuest = { ...settled, trustedPem: settled.certificatesPem + guest };
    const through = finish(switchOver(begin(withGuest, root)));
    expect(seen(through).trusted).toEqual([
      rootId(readSigner({ ...withGuest }, "here").issuer.trusted[1] ?? never()),
      next,
    ]);
  });

  it("can be replaced once more", () => {
    const third = makeRoot("cluster.local", now);
    expect(seen(finish(switchOver(begin(again, third)))).trusted).toEqual([seen(third).signs]);
  });
});

describe("no arrow", () => {
  it.each([
    ["settled ─▶ reissuing", () => switchOver(settled)],
    ["settled ─▶ settled", () => finish(settled)],
    ["spreading ─▶ settled", () => finish(spreading)],
    ["reissuing ─▶ reissuing", () => switchOver(reissuing)],
  ])("leads from %s", (_, step) => {
    expect(step).toThrow("there is no");
  });

  it.each([
    ["spreading", spreading],
    ["reissuing", reissuing],
  ])("begins another rotation while it is %s", (_, pems) => {
    expect(whyNotRotatable(readSigner(pems, "here"))).toBe("it is being replaced already");
  });
});

describe("an invalid stored state is refused", () => {
  const other = makeRoot("cluster.local", now);
  it.each<[string, SignerPems, string]>([
    ["with a next and a former root", { ...spreading, formerPem: settled.certificatesPem }, "only one of them"],
    ["with a next root that nobody trusts", { ...settled, next: other }, "is not among the trusted"],
    [
      "with a former root that nobody trusts",
      { ...settled, formerPem: other.certificatesPem },
      "not among the trusted",
    ],
    [
      "with a next root whose key is another's",
      { ...spreading, next: { ...root, keyPem: other.keyPem } },
      "not that of the key",
    ],
    [
      "with a next root that is no certificate",
      { ...spreading, next: { ...root, certificatesPem: "none" } },
      "one certificate",
    ],
    ["with a next root that signs already", { ...spreading, ...root }, "signs already"],
    ["with a former root that signs", { ...settled, formerPem: settled.certificatesPem }, "still signs"],
  ])("%s", (_, pems, reason) => {
    expect(() => readSigner(pems, "Secret")).toThrow(reason);
    expect(() => readSigner(pems, "Secret")).toThrow(/^Secret/);
  });
});

it("is not possible with an intermediate, whose root is not ours", () => {
  const company = makeCertificate({ extensions: [caConstraints], subject: commonName("Company root") });
  const mesh = makeCertificate({ extensions: [caConstraints], subject: commonName("Mesh"), issuer: company });
  const kept = readSigner({ keyPem: mesh.keyPem, certificatesPem: mesh.pem, trustedPem: company.pem }, "here");
  expect(whyNotRotatable(kept)).toContain("an intermediate");
  expect(whyNotRotatable(readSigner(settled, "here"))).toBeUndefined();
});

function never(): never {
  throw new Error("no such root");
}
