import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, it } from "vitest";
import { tulleCommand } from "../../cli/main.ts";

const text = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");

function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({ writeOut: (part) => (help += part) });
  command.outputHelp();
  return help;
}

it("lists every command with what it does and whether it can end with 1, and no other", () => {
  const rows = [...text.matchAll(/^\| `tulle ([a-z-]+)` \| (.+) \|([^|]*)\|$/gm)];
  const documented = rows.map(([, name, says, failure]) => [name, says, failure?.trim() !== ""]);
  const defined = tulleCommand().commands.map((command) => {
    const endsWithOne = /exits with 1|exit code is 1/i.test(helpOf(command));
    return [command.name(), command.description(), endsWithOne];
  });
  const byName = ([a]: unknown[], [b]: unknown[]) => (String(a) < String(b) ? -1 : 1);
  expect(documented).toEqual(defined.sort(byName));
});

it("gives every command examples", () => {
  for (const command of tulleCommand().commands)
    expect([command.name(), helpOf(command)]).toEqual([command.name(), expect.stringContaining("Examples:\n  $ ")]);
});
