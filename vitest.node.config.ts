import { defineConfig } from "vitest/config";

/** `npm run test:cluster:node`: the data plane on a real node, see test/cluster/node/setup.ts. One file at a time: they share it. */
export default defineConfig({
  test: {
    include: ["test/cluster/node/**/*.test.ts"],
    globalSetup: ["test/cluster/node/setup.ts"],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 180_000,
  },
});
