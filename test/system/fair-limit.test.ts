import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairLimit } from "../../system/fair-limit.ts";

/** One of each number, from these addresses. */
function filled(most: number, ...addresses: string[]): FairLimit<number> {
  const limit = new FairLimit<number>(most);
  for (const [number, address] of addresses.entries()) expect(limit.admit(address, number)).toBeUndefined();
  return limit;
}

describe("when there is one too many", () => {
  it("the address with the most loses its oldest", () => {
    expect(filled(4, "a", "b", "b", "b").admit("c", 9)).toBe(1);
  });

  it("the newcomer is refused if its address has as many itself", () => {
    expect(filled(4, "a", "b", "b", "b").admit("b", 9)).toBe(9);
  });

  it("the newcomer is refused if all addresses have as many as its own would", () => {
    expect(filled(3, "a", "b", "c").admit("d", 9)).toBe(9);
    expect(filled(4, "a", "b", "b", "a").admit("b", 9)).toBe(9);
    expect(filled(3, "a", "b", "b").admit("a", 9)).toBe(9);
  });
});

it("counts each that leaves once, and none that was refused", () => {
  const limit = filled(2, "a", "a");
  expect(limit.admit("a", 9)).toBe(9);
  limit.leave("a", 9);
  limit.leave("b", 0);
  expect(limit.count).toBe(2);
  limit.leave("a", 0);
  limit.leave("a", 0);
  expect(limit.count).toBe(1);
  expect(limit.admit("b", 3)).toBeUndefined();
});

it("never exceeds its limit, and takes only from an address with at least two more than the newcomer's", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.boolean()), { maxLength: 60 });
  const holds = fc.property(steps, fc.integer({ min: 1, max: 6 }), (taken, most) => {
    const limit = new FairLimit<string>(most);
    const inside: string[] = [];
    const held = (address: string): number => inside.filter((one) => one.startsWith(address)).length;
    return taken.every(([address, leaves], index) => {
      const gone = leaves ? inside.shift() : undefined;
      if (gone !== undefined) limit.leave(gone.charAt(0), gone);
      const connection = `${address}${index}`;
      const excess = limit.admit(address, connection);
      const isFair = excess === undefined || excess === connection || held(excess.charAt(0)) >= held(address) + 2;
      if (excess !== undefined && excess !== connection) inside.splice(inside.indexOf(excess), 1);
      if (excess !== connection) inside.push(connection);
      return isFair && limit.count === inside.length && limit.count <= most;
    });
  });
  expect(() => fc.assert(holds)).not.toThrow();
});
