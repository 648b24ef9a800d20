import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPeerIdentity } from "../../model/peer-identity.ts";
import {
  altNames,
  caConstraints,
  commonName,
  dns,
  extension,
  leafConstraints,
  makeCertificate,
  tlv,
  uri,
} from "../support/certificates.ts";

const id = "spiffe://cluster.local/ns/shop/sa/orders";

const identityOf = (...extensions: Buffer[]) => readPeerIdentity(makeCertificate({ extensions }).der);

describe("a peer's identity", () => {
  it("is its only URI name, byte for byte", () => {
    expect(identityOf(leafConstraints, altNames(uri(id)))).toEqual({ ok: true, value: id });
  });

  it("may be beside names of other kinds", () => {
    expect(identityOf(altNames(dns("orders.shop.svc"), uri(id)))).toEqual({ ok: true, value: id });
  });

  it("in one namespace differs from that in a namespace whose name starts the same", () => {
    const other = "spiffe://cluster.local/ns/shop2/sa/orders";
    expect(identityOf(altNames(uri(other)))).toEqual({ ok: true, value: other });
  });
});

describe("a certificate is not a workload's", () => {
  const cases: Record<string, [Buffer[], string | RegExp]> = {
    "without extensions": [[], "no subject alternative name"],
    "without alternative names": [[leafConstraints], "no subject alternative name"],
    "with a DNS name that looks like an id": [[altNames(dns(id))], "no URI among the subject alternative names"],
    "with two URIs": [[altNames(uri(id), uri(id))], "more than one URI among the subject alternative names"],
    "with a second URI of another kind": [
      [altNames(uri(id), uri("https://x"))],
      "more than one URI among the subject alternative names",
    ],
    "with two lists of names": [[altNames(uri(id)), altNames(dns("x"))], "subject alternative names given twice"],
    "as a CA": [[caConstraints, altNames(uri(id))], "a CA's certificate"],
    "with constraints given twice": [
      [leafConstraints, leafConstraints, altNames(uri(id))],
      "basic constraints given twice",
    ],
    "with names that are no sequence": [[extension("551d11", uri(id))], "subject alternative names not in DER"],
    "with bytes after the names": [
      [extension("551d11", Buffer.concat([tlv(0x30, uri(id)), Buffer.of(5, 0)]))],
      "subject alternative names not in DER",
    ],
    "with an upper-case id": [[altNames(uri(id.toUpperCase()))], /must be spiffe/],
    "with an upper-case namespace": [[altNames(uri("spiffe://cluster.local/ns/Shop/sa/orders"))], /must be spiffe/],
    "with an encoded slash": [[altNames(uri("spiffe://cluster.local/ns/shop%2Fsa/sa/orders"))], /must be spiffe/],
    "with a trailing slash": [[altNames(uri(`${id}/`))], /must be spiffe/],
    "with a NUL in it": [[altNames(uri(`${id}\0.evil`))], /must be spiffe/],
    "with a NUL after it": [[altNames(uri(`${id}\0`))], /must be spiffe/],
    "with a newline after it": [[altNames(uri(`${id}\n`))], /must be spiffe/],
    "with a query": [[altNames(uri(`${id}?a=b`))], /must be spiffe/],
    "with a port in the trust domain": [
      [altNames(uri("spiffe://cluster.local:1/ns/shop/sa/orders"))],
      /must be spiffe/,
    ],
    "with an empty service account": [[altNames(uri("spiffe://cluster.local/ns/shop/sa/"))], /must be spiffe/],
    "with an octet beyond ASCII": [[altNames(uri(`spiffe://cluster.local/ns/sh\xf6p/sa/orders`))], /must be spiffe/],
    "with an empty URI": [[altNames(uri(""))], /must be spiffe/],
  };
  it.each(Object.entries(cases))("%s", (_, [extensions, reason]) => {
    const result = identityOf(...extensions);
    expect(result.ok ? result.value : result.error).toMatch(reason);
    expect(result.ok).toBe(false);
  });

  it("with the id as common name only", () => {
    const { der } = makeCertificate({ subject: commonName(id), extensions: [] });
    expect(readPeerIdentity(der)).toEqual({ ok: false, error: "no subject alternative name" });
  });
});

describe("bytes that are not a certificate", () => {
  const { der } = makeCertificate({ extensions: [altNames(uri(id))] });

  it("are refused, cut anywhere", () => {
    for (let length = 0; length < der.length; length++)
      expect(readPeerIdentity(der.subarray(0, length)).ok, `cut at ${length}`).toBe(false);
  });

  it("are refused with anything after the end", () => {
    expect(readPeerIdentity(Buffer.concat([der, Buffer.of(0)])).ok).toBe(false);
  });

  it("never yield another identity, nor throw, with any one octet changed", () => {
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const changed = Buffer.from(der);
        changed[at] = octet;
        const result = readPeerIdentity(changed);
        // A changed octet within the id itself may make another valid id: then it is exactly those bytes.
        expect(!result.ok || changed.includes(result.value)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});
