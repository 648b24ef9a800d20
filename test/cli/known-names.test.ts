import { expect, it } from "vitest";
import { thereAre } from "../../cli/known-names.ts";

it("names all of a few, and says where there are none", () => {
  expect(thereAre(["shop/a", "shop/b"], "shop/c")).toBe("there are shop/a, shop/b");
  expect(thereAre([], "shop/c")).toBe("there are none");
});

it("names the first of many, and the one that was probably meant", () => {
  const many = Array.from({ length: 2_000 }, (_, i) => `shop/s${i}`);
  expect(thereAre([...many, "shop/orders"], "shop/odrers")).toBe(
    `there are ${many.slice(0, 12).join(", ")} and 1989 more; did you mean shop/orders?`,
  );
  expect(thereAre(many, "elsewhere/orders")).toMatch(/^there are shop\/s0, .* and 1988 more$/);
});
