import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/conformance/**", "test/browser/**", "test/bench/**", "test/observability/**"],
    // Who waits does so for an event or a condition. How long that may take is for a busy machine to say.
    testTimeout: 20_000,
    hookTimeout: 20_000,
    expect: { poll: { timeout: 15_000, interval: 20 } },
    // Most of what the long ones do is wait.
    maxWorkers: availableParallelism() + 1,
  },
});
