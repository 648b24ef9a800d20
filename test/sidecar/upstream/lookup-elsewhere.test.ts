import { expect, it } from "vitest";
import { isOwnAddress, lookupElsewhere } from "../../../sidecar/upstream/lookup-elsewhere.ts";

const podIp = "10.1.0.9";

/** The code of the error, or the addresses. */
function lookUp(name: string, all: boolean, own = podIp): Promise<unknown> {
  return new Promise((resolve) => {
    lookupElsewhere(own)(name, { all }, (error, found) => resolve(error === null ? found : error.code));
  });
}

it("recognises this sidecar in every form of its pod's address, of loopback and of the unspecified address", () => {
  for (const own of [podIp, "::ffff:10.1.0.9", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"])
    expect([own, isOwnAddress(own, podIp)]).toEqual([own, true]);
  for (const other of ["10.1.0.8", "10.1.0.90", "1.27.0.0", "::2", "::ffff:10.1.0.8"])
    expect([other, isOwnAddress(other, podIp)]).toEqual([other, false]);
});

it("recognises the loopback address of another pod on the same machine as that pod", () => {
  expect([isOwnAddress("127.0.0.2", "127.0.0.1"), isOwnAddress("127.0.0.1", "127.0.0.1")]).toEqual([false, true]);
});

it.each([false, true])("resolves no name that leads back, and any other one (all addresses: %s)", async (all) => {
  expect(await lookUp("LocalHost", all)).toBe("loop_detected");
  expect(await lookUp("0x7f000001", all)).toBe("loop_detected");
  expect(await lookUp("127.1", all, "127.0.0.9")).toEqual(all ? [{ address: "127.0.0.1", family: 4 }] : "127.0.0.1");
});
