import * as fc from "fast-check";
import { expect, it } from "vitest";
import { readDecimal } from "../../../sidecar/net/decimal.ts";

it("reads what Number reads, including leading zeros", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.constantFrom("", "0", "000"), (value, zeros) => {
      expect(readDecimal(`${zeros}${value}`)).toBe(value);
    }),
  );
});
