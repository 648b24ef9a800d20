import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { errorCodes } from "../../model/errors.ts";

const text = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
const rows = text.split("\n").filter((line) => line.startsWith("| `"));

it("explains every code with its statuses and its sentence, and no other code", () => {
  const defined = Object.entries(errorCodes).map(
    ([code, { http, grpc, says }]) => `| \`${code}\` | ${http} | ${status[grpc]} | ${says} |`,
  );
  expect(rows.map((row) => row.split(" | ").slice(0, 4).join(" | ").concat(" |"))).toEqual(defined);
});

it("gives a cause and a remedy for each", () => {
  for (const row of rows) expect(row).toMatch(/^(\| [^|]+){6} \|$/);
});
