/** Completion for fish: one `complete` per word. */

import { type CommandWords, type OptionWords, optionsWithin } from "./command-tree.ts";

/** For a file in `~/.config/fish/completions`, or `tulle completion fish | source`. */
export function fishCompletion({ name, options, commands }: CommandWords): string {
  const offer = (rest: string) => `complete -c ${name} ${rest}`;
  const first = commands.map(({ name: each, description }) =>
    offer(`-n __fish_use_subcommand -f -a ${each} -d ${quote(description)}`),
  );
  const own = options.map((option) => offer(`-n __fish_use_subcommand ${flags(option)}`));
  const rest = commands.flatMap((command) => {
    const seen = `-n '__fish_seen_subcommand_from ${command.name}'`;
    const nested = command.commands.map((each) => offer(`${seen} -f -a ${each.name} -d ${quote(each.description)}`));
    return [...nested, ...optionsWithin(command).map((option) => offer(`${seen} ${flags(option)}`))];
  });
  const help = offer(`-n __fish_use_subcommand -f -a help -d 'one command in detail'`);
  return `${[`# fish completion for ${name}`, ...first, help, ...own, ...rest].join("\n")}\n`;
}

function flags({ short, long, description, value }: OptionWords): string {
  const names = `${short === undefined ? "" : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
  const about = `-d ${quote(description)}`;
  switch (value.kind) {
    case "none":
      return `${names} ${about}`;
    case "choices":
      return `${names} -x -a ${quote(value.choices.join(" "))} ${about}`;
    case "path":
      return `${names} -r -F ${about}`;
    case "any":
      return `${names} -x ${about}`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
