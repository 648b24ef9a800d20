import { defineConfig } from "vitest/config";

/** `npm run test:observability`: a real Jaeger and a real Prometheus. One file at a time: each runs a whole mesh. */
export default defineConfig({
  test: {
    include: ["test/observability/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
