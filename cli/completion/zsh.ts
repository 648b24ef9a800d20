/** Completion for zsh, with its own `_arguments`. */

import { type CommandWords, flagsOf, type OptionWords, optionsWithin } from "./command-tree.ts";

/** For a file `_tulle` in `$fpath`, or `source <(tulle completion zsh)` after `compinit`. */
export function zshCompletion({ name, options, commands }: CommandWords): string {
  return `#compdef ${name}
# zsh completion for ${name}
_${name}() {
  local context state line
  typeset -A opt_args
  _arguments -C ${options.map(argument).join(" ")} '1: :->command' '*:: :->rest'
  case $state in
    command)
      local -a commands
      commands=(${commands.map(({ name: each, description }) => quote(`${each}:${description}`)).join(" ")} ${quote("help:one command in detail")})
      _describe command commands ;;
    rest)
      case $words[1] in
${commands.map(commandCase).join("\n")}
      esac ;;
  esac
}
if [[ $funcstack[1] == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function commandCase(command: CommandWords): string {
  const { name, commands } = command;
  const operands =
    commands.length === 0 ? `'*:file:_files'` : `'1:command:(${commands.map((each) => each.name).join(" ")})'`;
  return `        ${name}) _arguments ${optionsWithin(command).map(argument).join(" ")} ${operands} ;;`;
}

function argument(option: OptionWords): string {
  const flags = flagsOf(option);
  const about = `[${option.description.replace(/[[\]:\\]/g, "\\$&")}]`;
  const [first = "", second] = flags;
  const spec = `${about}${valueOf(option)}`;
  return second === undefined ? quote(`*${first}${spec}`) : `'*'{${flags.join(",")}}${quote(spec)}`;
}

function valueOf({ value, long }: OptionWords): string {
  const what = long.slice(2);
  switch (value.kind) {
    case "none":
      return "";
    case "choices":
      return `:${what}:(${value.choices.join(" ")})`;
    case "path":
      return `:${what}:_files`;
    case "any":
      return `:${what}: `;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
