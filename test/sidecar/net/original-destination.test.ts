/** Reading real redirected connections is `test/integration/interception.test.ts`'s. */

import { expect, it } from "vitest";
import { parseSocketAddress } from "../../../sidecar/net/original-destination.ts";

it("reads a sockaddr_in", () => {
  const bytes = Buffer.from("0200 0050 0a600005 0000000000000000".replaceAll(" ", ""), "hex");
  expect(parseSocketAddress(bytes, false)).toEqual({ host: "10.96.0.5", port: 80 });
});

it("reads a sockaddr_in6, in the short form that everyone else uses", () => {
  const bytes = Buffer.from("0a00 3a98 00000000 fd000096000000000000000000000005 00000000".replaceAll(" ", ""), "hex");
  expect(parseSocketAddress(bytes, true)).toEqual({ host: "fd00:96::5", port: 15_000 });
});
