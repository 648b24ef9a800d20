/** `tulle inject`: adds the sidecar to a manifest, as the webhook would add it to its pods. */

import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Command } from "commander";
import { parse } from "yaml";
import {
  defaultInjectionConfig,
  type InjectionConfig,
  readInjectionConfig,
} from "../control-plane/injection/config.ts";
import { injectManifest } from "../control-plane/injection/manifest.ts";
import type { FieldError } from "../model/result.ts";
import { reasonOf } from "../system/log.ts";
import { UsageError, unreadable } from "./usage-error.ts";

interface InjectOptions {
  readonly file: string;
  readonly config?: string;
}

const help = `
Prints the manifest on stdout, with a sidecar in everything that creates pods. If something can't have one, it is named on
stderr and the exit code is 1. The webhook leaves pods that already have their sidecar alone.

Examples:
  $ tulle inject -f deploy.yaml | kubectl apply -f -
  $ kubectl -n tulle-system get configmap tulle-injection -o 'jsonpath={.data.injection\\.yaml}' > injection.yaml
  $ tulle inject -f deploy.yaml --config injection.yaml`;

export function injectCommand(): Command {
  return new Command("inject")
    .description("add the sidecar to a manifest, as the webhook does to pods")
    .requiredOption("-f, --file <path>", "Kubernetes YAML; - reads standard input")
    .option("--config <path>", "the mesh's injection settings: its ConfigMap tulle-injection")
    .addHelpText("after", help)
    .action((options: InjectOptions) => run(options));
}

async function run({ file, config }: InjectOptions): Promise<void> {
  const injected = injectManifest(
    await read(file),
    config === undefined ? defaultInjectionConfig : await readConfig(config),
  );
  if (!injected.ok) {
    report(file, injected.error);
    process.exitCode = 1;
    return;
  }
  for (const line of injected.value.skipped) process.stderr.write(`left alone: ${line}\n`);
  process.stdout.write(injected.value.text);
}

async function readConfig(path: string): Promise<InjectionConfig> {
  const config = readInjectionConfig(parseYaml(await read(path), path));
  if (config.ok) return config.value;
  throw new UsageError(`--config ${path}: ${config.error.map(lineOf).join("; ")}`);
}

function parseYaml(yaml: string, path: string): unknown {
  try {
    return parse(yaml) as unknown;
  } catch (error) {
    throw new UsageError(`--config ${path}: ${firstLineOf(reasonOf(error))}`, { cause: error });
  }
}

async function read(path: string): Promise<string> {
  try {
    return path === "-" ? await text(process.stdin) : await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
}

function report(file: string, errors: readonly FieldError[]): void {
  const name = file === "-" ? "standard input" : file;
  for (const error of errors) process.stderr.write(`${name}: ${firstLineOf(lineOf(error))}\n`);
}

/** The YAML parser's message continues with a picture of the place. */
function firstLineOf(message: string): string {
  return (message.split("\n", 1)[0] ?? "").replace(/:$/, "");
}

function lineOf({ path, message }: FieldError): string {
  return path === "" ? message : `${path}: ${message}`;
}
