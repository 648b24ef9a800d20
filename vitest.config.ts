import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/conformance/**", "test/browser/**", "test/bench/**", "test/observability/**"],
    testTimeout: 10_000,
    // Most of what the long ones do is wait.
    maxWorkers: availableParallelism() + 1,
  },
});
