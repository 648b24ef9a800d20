import { describe, expect, it } from "vitest";
import { checkInput, fuzz } from "./fuzzer.ts";
import { readCorpus } from "./target.ts";
import { targets } from "./targets.ts";

describe.each(targets)("$name", (target) => {
  const corpus = readCorpus(target);

  it.each([...corpus.keys()])("holds for %s of the corpus", async (name) => {
    await expect(checkInput(target, corpus.get(name) as Buffer)).resolves.toBeUndefined();
  });

  it("has the same number of parts after they were joined", () => {
    for (const input of corpus.values()) {
      const parts = target.split(input);
      expect(target.split(target.join(parts))).toHaveLength(parts.length);
    }
  });

  it("holds for 2,000 mutated inputs", async () => {
    let current: Buffer = Buffer.alloc(0);
    const options = { seed: 20_261, maxInputs: 2_000, untilMs: Number.POSITIVE_INFINITY, coverage: undefined };
    const onInput = (input: Buffer) => {
      current = input;
    };
    await expect(
      fuzz(target, { ...options, corpus: [...corpus.values()], onInput }).catch((cause: unknown) => {
        throw new Error(JSON.stringify(current.toString("latin1")), { cause });
      }),
    ).resolves.toBeDefined();
  });
});
