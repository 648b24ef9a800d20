/** What the shells themselves make of it: each is run, takes the script, and completes. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bashCompletion } from "../../../cli/completion/bash.ts";
import { wordsOf } from "../../../cli/completion/command-tree.ts";
import { fishCompletion } from "../../../cli/completion/fish.ts";
import { zshCompletion } from "../../../cli/completion/zsh.ts";
import { tulleCommand } from "../../../cli/main.ts";

const words = wordsOf(tulleCommand());
const commands = words.commands.map(({ name }) => name).sort();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tulle-completion-"));
  writeFileSync(join(folder, "tulle.bash"), bashCompletion(words));
  writeFileSync(join(folder, "_tulle"), zshCompletion(words));
  writeFileSync(join(folder, "tulle.fish"), fishCompletion(words));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Lines that a shell prints, without what it says of a word. */
function run(shell: string, args: readonly string[], input?: string): string[] {
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, TERM: "dumb" };
  const { status, stdout, stderr } = spawnSync(shell, args, { encoding: "utf8", cwd: folder, env, input });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.split(/\r?\n/).filter((line) => line !== "");
}

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ["-c", "exit"]).error === undefined;
}

const bash = (...typed: string[]): string[] => {
  const script = `source ./tulle.bash; COMP_WORDS=(${typed.map((word) => `"${word}"`).join(" ")})
    COMP_CWORD=${typed.length - 1}; _tulle; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return run("bash", ["--norc", "-c", script]).sort();
};

const fish = (...typed: string[]): string[] => {
  const script = `source ./tulle.fish; complete -C '${typed.join(" ")}'`;
  return run("fish", ["--no-config", "-c", script])
    .map((line) => line.split("\t")[0] ?? "")
    .sort();
};

/** In a terminal of its own, since zsh completes nowhere else: what it inserts or lists after a tab. */
const zsh = (...typed: string[]): string[] => {
  const script = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= PROMPT= RPS1=; unsetopt zle_bracketed_paste 2>/dev/null; fpath=(\\$PWD \\$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell 'zstyle ":completion:*" list-grouped false; zstyle ":completion:*" verbose no; zstyle ":completion:*:default" list-prompt ""'
zpty -w shell 'compadd() { if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
  local -a found; builtin compadd -O found "$@"; print -l -- "FOUND "\${^found} >> found.txt; builtin compadd "$@" }'
zpty -w shell 'finish() { zle expand-or-complete; print > done.txt }; zle -N finish; bindkey "^I" finish; print > ready.txt'
for wait in {1..1000}; do [[ -e ready.txt ]] && break; sleep 0.01; done
zpty -w -n shell $'${typed.join(" ")}\\t'
for wait in {1..1000}; do [[ -e done.txt ]] && break; sleep 0.01; done
zpty -d shell
sort -u found.txt; rm -f found.txt ready.txt done.txt`;
  return run("zsh", ["-f"], script)
    .filter((line) => line.startsWith("FOUND "))
    .map((line) => line.slice("FOUND ".length))
    .sort();
};

const shells = [
  ["bash", bash],
  ["fish", fish],
  ["zsh", zsh],
] as const;

// All three are on the machine that checks every change.
describe.each(shells.filter(([shell]) => isInstalled(shell)))("in %s", { timeout: 30_000 }, (_shell, complete) => {
  it("knows every command", () => {
    expect(complete("tulle", "")).toEqual(expect.arrayContaining([...commands, "help"]));
  });

  it("completes a command's beginning", () => {
    expect(complete("tulle", "ver")).toEqual(["version"]);
  });

  it("knows a command's options, and what may follow one", () => {
    expect(complete("tulle", "compile", "--clu")).toEqual(["--cluster-domain"]);
    expect(complete("tulle", "certs", "rotate-root", "--wa")).toEqual(["--wait"]);
    expect(complete("tulle", "status", "-o", "")).toEqual(["json", "text"]);
    expect(complete("tulle", "completion", "")).toEqual(expect.arrayContaining(["bash", "fish", "zsh"]));
  });
});
