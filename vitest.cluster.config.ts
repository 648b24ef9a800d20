import { defineConfig } from "vitest/config";

/** `npm run test:cluster`: against a real API server, see test/cluster/shared-server.ts. One file at a time: they share it. */
export default defineConfig({
  test: {
    include: ["test/cluster/control-plane/**/*.test.ts"],
    globalSetup: ["test/cluster/shared-server.ts"],
    fileParallelism: false,
    expect: { poll: { timeout: 15_000, interval: 20 } },
    testTimeout: 60_000,
    hookTimeout: 90_000,
  },
});
