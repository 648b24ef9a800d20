/**
 * `npm run test:conformance [-- TEST]`: the Gateway API's own suite, v1.6.3, profiles MESH-HTTP and MESH-GRPC with every feature
 * of a mesh declared, on the node of test/cluster. Writes the report to docs/conformance. Exit 1 if a test
 * of a mesh fails, is skipped, or does not run at all.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { version } from "../../system/version.ts";
import { bundle } from "../cluster/bundle.ts";
import { run } from "../cluster/node/cluster.ts";
import { setup } from "../cluster/node/setup.ts";
import { judgeSuite, judgeTest } from "./verdict.ts";

const root = join(import.meta.dirname, "../..");
const scripts = join(root, "test/cluster");
const report = join(root, "docs/conformance/gateway-api-v1.6.3-mesh.yaml");
const image = "registry.k8s.io/gateway-api/echo-advanced:v1.5.1";
const buildWithinMs = 20 * 60_000;

/** How the suite names those that concern a mesh. It skips a test whose features are not declared, and says so only there. */
const meshTest = /^ {4}--- (PASS|SKIP|FAIL): TestConformance\/(Mesh\w+)/;

const features = [
  "Mesh",
  "HTTPRoute",
  "GRPCRoute",
  "ReferenceGrant",
  "MeshClusterIPMatching",
  "MeshConsumerRoute",
  "MeshHTTPRouteRewritePath",
  "MeshHTTPRouteSchemeRedirect",
  "MeshHTTPRouteRedirectPort",
  "MeshHTTPRouteRedirectPath",
  "MeshHTTPRouteBackendRequestHeaderModification",
  "MeshHTTPRouteQueryParamMatching",
  "MeshHTTPRouteNamedRouteRule",
  "HTTPRouteParentRefPort",
  "HTTPRouteResponseHeaderModification",
  "HTTPRoute303RedirectStatusCode",
  "HTTPRoute307RedirectStatusCode",
  "HTTPRoute308RedirectStatusCode",
];

async function buildEcho(): Promise<void> {
  const source = join(import.meta.dirname, "echo");
  const context = join(root, "dist/conformance");
  mkdirSync(context, { recursive: true });
  await bundle([join(source, "server.ts"), join(source, "client.ts")], context);
  cpSync(join(source, "client"), join(context, "client"));
  await run(join(scripts, "image"), ["build", image, "-f", join(source, "Dockerfile"), context]);
  await run(join(scripts, "image"), ["load", image]);
}

/** Exit 0: all that was to run did, and passed. */
async function runSuite(only: string | undefined): Promise<number> {
  mkdirSync(join(root, "docs/conformance"), { recursive: true });
  const startMs = Date.now();
  const flags = [
    "-test.v",
    "-test.run=^TestConformance$",
    "--conformance-profiles=MESH-HTTP,MESH-GRPC",
    `--supported-features=${features.join(",")}`,
    "--namespace-labels=tulle.dev/inject=enabled",
    "--organization=tulle",
    "--project=tulle",
    "--url=https://tulle.dev",
    `--version=v${version}`,
    "--contact=SECURITY.md",
    ...(only === undefined ? [`--report-output=${report}`] : [`--run-test=${only}`]),
  ];
  const script = `. ${join(scripts, "env.sh")}; exec gateway-conformance.test "$@"`;
  const suite = spawn("bash", ["-c", script, "suite", ...flags], { stdio: ["inherit", "pipe", "inherit"] });
  const skipped: string[] = [];
  let passed = 0;
  createInterface({ input: suite.stdout }).on("line", (line) => {
    console.log(line);
    const [, outcome, test = ""] = meshTest.exec(line) ?? [];
    if (outcome === "PASS") passed += 1;
    if (outcome === "SKIP") skipped.push(test);
  });
  const [code] = (await once(suite, "close")) as [number | null];
  console.log(`conformance: ${passed} tests of meshes passed, ${skipped.length} skipped ${skipped.join(" ")}`);
  const ended = { exitCode: code ?? 1, passed, skipped };
  const reasons = only === undefined ? judgeSuite(ended, readReportSince(startMs)) : judgeTest(ended);
  for (const reason of reasons) console.error(`conformance: ${reason}`);
  return reasons.length === 0 ? 0 : 1;
}

/** That of an earlier run does not speak for this one: empty. */
function readReportSince(startMs: number): string {
  const written = statSync(report, { throwIfNoEntry: false });
  return written !== undefined && written.mtimeMs >= startMs ? readFileSync(report, "utf8") : "";
}

const tearDown = await setup();
await run(join(scripts, "tools"), ["conformance"], "", buildWithinMs);
await buildEcho();
await run("bash", ["-c", 'kubectl apply --server-side -f "$CLUSTER_HOME/gateway-api-crds/standard"']);
const code = await runSuite(process.argv[2]);
await tearDown();
process.exit(code);
