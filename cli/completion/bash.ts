/** Completion for bash, 3.2 and later (macOS), without the package bash-completion. */

import { type CommandWords, flagsOf, type OptionWords, optionsWithin } from "./command-tree.ts";

/** Load it with `eval "$(tulle completion bash)"`. Words consist of letters, digits and dashes, so nothing needs quotes. */
export function bashCompletion({ name, options, commands }: CommandWords): string {
  const names = commands.map((command) => command.name);
  const flags = options.flatMap(flagsOf);
  return `# bash completion for ${name}
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      ${names.join("|")}) command=$word; break ;;
    esac
  done
  case $command in
    "") COMPREPLY=($(compgen -W "${[...names, "help", ...flags].join(" ")}" -- "$current")) ;;
${commands.map(commandCase).join("\n")}
  esac
}
complete -o default -F _${name} ${name}
`;
}

/** Nested commands (`completion bash`) are offered like flags: there is only one level of them. */
function commandCase(command: CommandWords): string {
  const options = optionsWithin(command);
  const words = [...command.commands.map((nested) => nested.name), ...options.flatMap(flagsOf)];
  return `    ${command.name})
      case $previous in
${options.flatMap(valueCase).join("\n")}
        *) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current")) ;;
      esac ;;`;
}

function valueCase(option: OptionWords): string[] {
  const pattern = `        ${flagsOf(option).join("|")})`;
  switch (option.value.kind) {
    case "none":
      return [];
    case "choices":
      return [`${pattern} COMPREPLY=($(compgen -W "${option.value.choices.join(" ")}" -- "$current")) ;;`];
    case "path":
      return [`${pattern} COMPREPLY=($(compgen -f -- "$current")) ;;`];
    case "any":
      return [`${pattern} ;;`];
  }
}
