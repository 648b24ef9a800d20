import { configDefaults, defineConfig } from "vitest/config";

const every = "test/cluster/node/**/*.test.ts";
/** They stop, upgrade or remove the mesh that all others need, or keep the node so busy that others would wait for it. */
const alone = ["getting-started", "rollouts", "control-plane", "install"].map(
  (name) => `test/cluster/node/${name}.test.ts`,
);

/**
 * `npm run test:cluster:node`: the data plane on a real node, see test/cluster/node/setup.ts. The scenarios of a namespace of
 * their own go on side by side, six files at a time: most of their time is waiting. Then those that concern the whole mesh
 * or load it, one file at a time.
 */
export default defineConfig({
  test: {
    globalSetup: ["test/cluster/node/setup.ts"],
    testTimeout: 400_000,
    hookTimeout: 300_000,
    projects: [
      {
        extends: true,
        test: {
          name: "side by side",
          include: [every],
          exclude: [...configDefaults.exclude, ...alone],
          maxWorkers: 6,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "alone", include: alone, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
