import { defineConfig } from "vitest/config";

/** The drills of `npm run test:cluster`: an API server and a mesh of their own for each. All at once: they mostly wait. */
export default defineConfig({
  test: {
    include: ["test/cluster/outage/**/*.test.ts"],
    maxWorkers: 2,
    expect: { poll: { timeout: 15_000, interval: 20 } },
    testTimeout: 60_000,
    hookTimeout: 90_000,
  },
});
