/** A real Prometheus that scrapes the given targets every second, and its query API. */

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePorts, StartedProgram } from "./started-program.ts";

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface QueryAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [unixSeconds: number, value: string];
    }[];
  };
}

interface ExemplarAnswer {
  readonly data: readonly { readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[] }[];
}

interface LabelsAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data: readonly string[];
}

interface RulesAnswer {
  readonly data: { readonly groups: readonly { readonly rules: readonly RuleState[] }[] };
}

export interface RuleState {
  readonly name: string;
  readonly health: string;
}

export const installPrometheus = "apt-get install prometheus";

export class Prometheus implements AsyncDisposable {
  readonly #program: StartedProgram;
  readonly #url: string;

  private constructor(program: StartedProgram, url: string) {
    this.#program = program;
    this.#url = url;
  }

  /** `targets` are `host:port`, scraped at `/metrics`; `ruleFile` is of alerts and recordings. */
  static async start(targets: readonly string[], ruleFile: string): Promise<Prometheus> {
    const [port = 0] = await freePorts(1);
    const url = `http://127.0.0.1:${port}`;
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "900ms", evaluation_interval: "1s" },
      rule_files: [resolve(ruleFile)],
      scrape_configs: [{ job_name: "tulle", static_configs: [{ targets }] }],
    };
    const program = await StartedProgram.start({
      command: "prometheus",
      args: (folder) => {
        // JSON is YAML.
        writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
        return [
          `--config.file=${join(folder, "prometheus.yml")}`,
          `--storage.tsdb.path=${folder}`,
          `--web.listen-address=127.0.0.1:${port}`,
          "--enable-feature=exemplar-storage",
        ];
      },
      readyUrl: `${url}/-/ready`,
      install: installPrometheus,
    });
    return new Prometheus(program, url);
  }

  /** Throws Prometheus' own words for a query that it does not take. */
  async query(expr: string): Promise<Sample[]> {
    const response = await fetch(`${this.#url}/api/v1/query?${new URLSearchParams({ query: expr }).toString()}`);
    const answer = (await response.json()) as QueryAnswer;
    if (answer.status !== "success") throw new Error(`${expr}: ${answer.error}`);
    return answer.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The labels of what was scraped beside the samples of a series. */
  async exemplars(series: string): Promise<Readonly<Record<string, string>>[]> {
    const ask = new URLSearchParams({
      query: series,
      start: String(Date.now() / 1_000 - 300),
      end: String(Date.now() / 1_000),
    });
    const answer = (await (
      await fetch(`${this.#url}/api/v1/query_exemplars?${ask.toString()}`)
    ).json()) as ExemplarAnswer;
    return answer.data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels));
  }

  /** As Grafana asks for the values of a variable: `label_values(SERIES, LABEL)`. */
  async labelValues(query: string): Promise<readonly string[]> {
    const [, series = "", label = ""] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
    const ask = new URLSearchParams({ "match[]": series });
    const response = await fetch(`${this.#url}/api/v1/label/${label}/values?${ask.toString()}`);
    const answer = (await response.json()) as LabelsAnswer;
    if (answer.status !== "success") throw new Error(`${query}: ${answer.error}`);
    return answer.data;
  }

  async rules(): Promise<RuleState[]> {
    const answer = (await (await fetch(`${this.#url}/api/v1/rules`)).json()) as RulesAnswer;
    return answer.data.groups.flatMap((group) => group.rules);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}
