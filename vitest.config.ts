import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/cluster/**", "test/conformance/**", "test/browser/**", "test/bench/**"],
    testTimeout: 10_000,
  },
});
