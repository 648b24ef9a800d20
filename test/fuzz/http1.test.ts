import { describe, expect, it } from "vitest";
import { seededRandom } from "../support/seeded-random.ts";
import { check, fuzz, readCorpus } from "./http1.ts";

describe("the HTTP/1 parsers", () => {
  for (const [name, text] of readCorpus())
    it(`hold for ${name} of the corpus`, () => {
      expect(() => check(text, seededRandom(1))).not.toThrow();
    });

  it("hold for 5,000 mutated messages", () => {
    expect(() => fuzz(5_000, 20_261)).not.toThrow();
  });
});
