import { expect, it } from "vitest";
import { stickyKey } from "../../model/sticky.ts";
import { HeaderFields } from "../../sidecar/net/header-fields.ts";

const byHeader = { by: "header", name: "x-user" } as const;
const byCookie = { by: "cookie", name: "session" } as const;

it("is a header's first value", () => {
  expect(stickyKey(byHeader, new HeaderFields(["x-user", "ann", "x-user", "bob"]))).toBe("ann");
  expect(stickyKey(byHeader, new HeaderFields())).toBeUndefined();
  expect(stickyKey(byHeader, new HeaderFields(["x-user", ""]))).toBeUndefined();
});

it.each([
  [["session=abc"], "abc"],
  [["a=1; session=abc; b=2"], "abc"],
  [["a=1;session=abc"], "abc"],
  [["a=1", "session=abc"], "abc"],
  [["session=a=b"], "a=b"],
  [["session=first; session=second"], "first"],
  [["xsession=1; sessionx=2"], undefined],
  [["Session=1"], undefined],
  [["session"], undefined],
  [["session="], undefined],
  [[], undefined],
])("of the cookies %j is %j", (cookies, key) => {
  expect(stickyKey(byCookie, new HeaderFields(cookies.flatMap((value) => ["cookie", value])))).toBe(key);
});
