/** `tulle completion`: the script with which a shell completes the words of this command. */

import { Command } from "commander";
import { bashCompletion } from "./bash.ts";
import { type CommandWords, wordsOf } from "./command-tree.ts";
import { fishCompletion } from "./fish.ts";
import { zshCompletion } from "./zsh.ts";

const shells: Readonly<Record<string, readonly [print: (words: CommandWords) => string, help: string]>> = {
  bash: [bashCompletion, `\nExample, in ~/.bashrc:\n  eval "$(tulle completion bash)"`],
  zsh: [zshCompletion, `\nExample, in ~/.zshrc after compinit:\n  source <(tulle completion zsh)`],
  fish: [fishCompletion, "\nExample, in ~/.config/fish/config.fish:\n  tulle completion fish | source"],
};

const help = `
Examples:
  $ eval "$(tulle completion bash)"
  $ source <(tulle completion zsh)
  $ tulle completion fish | source`;

export function completionCommand(): Command {
  const command = new Command("completion")
    .description("print the script for completion in bash, zsh or fish")
    .addHelpText("after", help);
  for (const [shell, [print, example]] of Object.entries(shells)) {
    command.addCommand(
      new Command(shell)
        .description(`for ${shell}`)
        .addHelpText("after", example)
        .action(() => void process.stdout.write(print(wordsOf(rootOf(command))))),
    );
  }
  return command;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
