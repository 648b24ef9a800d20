/** `npm run dashboards`: writes Grafana's JSON, one file for each dashboard, beside this one. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { controlPlane } from "./control-plane.ts";
import type { Dashboard, Panel, Variable } from "./dashboard.ts";
import { edge } from "./edge.ts";
import { mesh } from "./mesh.ts";
import { service } from "./service.ts";

export const dashboards: readonly Dashboard[] = [mesh, service, edge, controlPlane];

/** The width of Grafana's grid. */
const gridWidth = 24;
const statHeight = 4;
const panelHeight = 8;
const schemaVersion = 39;

/** The content of a dashboard's file, to be imported by hand or found by Grafana's sidecar (label `grafana_dashboard`). */
export function dashboardJson(dashboard: Dashboard): string {
  return `${JSON.stringify(grafana(dashboard), undefined, 2)}\n`;
}

function grafana({ uid, title, variables, rows }: Dashboard) {
  return {
    uid,
    title,
    tags: ["tulle"],
    schemaVersion,
    editable: true,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: { list: [datasourceVariable, ...variables.map(templateVariable)] },
    panels: rows.flatMap((row, index) => rowPanels(row, index, topOf(rows, index))),
  };
}

const datasource = { type: "prometheus", uid: "${datasource}" };

const datasourceVariable = { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" };

function templateVariable({ name, label, query }: Variable) {
  return { name, label, type: "query", datasource, query: { query, refId: name }, refresh: 2, sort: 1 };
}

function topOf(rows: Dashboard["rows"], index: number): number {
  return rows.slice(0, index).reduce((sum, row) => sum + heightOf(row), 0);
}

function heightOf(row: readonly Panel[]): number {
  return row.every(({ kind }) => kind === "stat") ? statHeight : panelHeight;
}

function rowPanels(row: readonly Panel[], rowIndex: number, y: number) {
  const w = Math.floor(gridWidth / row.length);
  const h = heightOf(row);
  return row.map(({ title, says, kind, unit, queries }, index) => ({
    id: rowIndex * gridWidth + index + 1,
    title,
    description: says,
    type: kind,
    datasource,
    gridPos: { x: index * w, y, w, h },
    fieldConfig: { defaults: { unit, min: unit === "percentunit" ? undefined : 0 }, overrides: [] },
    targets: queries.map(({ expr, legend }, nth) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + nth),
      datasource,
      expr,
      legendFormat: legend,
      ...(kind === "table" && { format: "table", instant: true }),
    })),
  }));
}

if (process.argv[1] === import.meta.filename) {
  for (const dashboard of dashboards) {
    writeFileSync(join(import.meta.dirname, `${dashboard.uid}.json`), dashboardJson(dashboard));
  }
}
