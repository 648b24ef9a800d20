import { defineConfig } from "vitest/config";

/** `npm run test:browser`: the dashboard in a real Chromium, over a whole mesh. */
export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    fileParallelism: false,
    expect: { poll: { timeout: 15_000, interval: 20 } },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
