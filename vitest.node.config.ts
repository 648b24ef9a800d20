import { configDefaults, defineConfig } from "vitest/config";

const every = "test/cluster/node/**/*.test.ts";
const fileOf = (name: string) => `test/cluster/node/${name}.test.ts`;
/** They stop or upgrade the mesh that all others need, or keep the node so busy that others would wait for it. */
const alone = ["rollouts", "control-plane"].map(fileOf);
/** In this order: the first removes the mesh in the end, the second installs it as a reader does, and then as it was. */
const last = ["install", "getting-started"].map(fileOf);

/**
 * `npm run test:cluster:node`: the data plane on a real node, see test/cluster/node/setup.ts. The scenarios of a namespace of
 * their own go on side by side, six files at a time: most of their time is waiting. Then those that concern the whole mesh
 * or load it, one file at a time, and those that begin or end without one.
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
          exclude: [...configDefaults.exclude, ...alone, ...last],
          maxWorkers: 6,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "alone", include: alone, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
      ...last.map((file, place) => ({
        extends: true as const,
        test: { name: `last ${place + 1}`, include: [file], sequence: { groupOrder: 2 + place } },
      })),
    ],
  },
});
