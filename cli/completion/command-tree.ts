/** What can be typed: the commands with their options, as the argument parser knows them. Plain data for the three shells. */

import type { Command, Option } from "commander";

export interface CommandWords {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionWords[];
  readonly commands: readonly CommandWords[];
}

export interface OptionWords {
  /** `-o`. */
  readonly short?: string;
  /** `--output`. */
  readonly long: string;
  readonly description: string;
  readonly value: ValueWords;
}

/** What follows an option. */
export type ValueWords =
  | { readonly kind: "none" }
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  /** A file or a folder. */
  | { readonly kind: "path" }
  | { readonly kind: "any" };

const help: OptionWords = { short: "-h", long: "--help", description: "display help", value: { kind: "none" } };
const pathPattern = /<(?:file|path|dir|folder)(?:\.\.\.)?>/;

/** The words of the program: its commands, each with its options. */
export function wordsOf(command: Command): CommandWords {
  return {
    name: command.name(),
    description: command.description(),
    options: [...command.options.filter(({ hidden }) => !hidden).map(optionWords), help],
    commands: command.commands.map(wordsOf),
  };
}

function optionWords({ short, long, description, flags, argChoices, required, optional }: Option): OptionWords {
  const value = (): ValueWords => {
    if (argChoices !== undefined) return { kind: "choices", choices: argChoices };
    if (pathPattern.test(flags)) return { kind: "path" };
    return { kind: required || optional ? "any" : "none" };
  };
  return { ...(short && { short }), long: long ?? "", description, value: value() };
}

/** A command's options and those of its nested commands, because a shell does not learn which of these is meant. */
export function optionsWithin({ options, commands }: CommandWords): readonly OptionWords[] {
  const all = [...options, ...commands.flatMap((nested) => nested.options)];
  return [...new Map(all.map((option) => [option.long, option])).values()];
}

/** The ways to type an option: `-o` and `--output`. */
export function flagsOf({ short, long }: OptionWords): readonly string[] {
  return short === undefined ? [long] : [short, long];
}
