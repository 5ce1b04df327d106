import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createAdminClient } from "../../shared/clients/admin.ts";
import { createHttp } from "../../shared/clients/http.ts";
import { FIXTURES, publishClientModels } from "../harness/client-models.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";
import { type Counts, countLines, earlierCounts, sumOf } from "./counts.ts";
import { hasPython, makeEnvironment } from "./environment.ts";
import { run } from "./run.ts";
import { type Api, checkApi } from "./schemathesis.ts";

const SCRIPTS = ["openai_official", "hf_hub", "oip_tritonclient", "oip_kserve"];
const SCRIPT_TIMEOUT_MS = 300_000;

/** The clients that are Python packages, unmodified, against the whole platform with real models. The last line is `N passed, N failed`, with the tests before. */
async function main() {
  const earlier = await earlierCounts(process.env["WEIR_COUNTS"]);
  const clients = await checkClients().catch((cause) => {
    console.error(cause);
    return [{ passed: 0, failed: 1 }];
  });
  const counts = sumOf([earlier, ...clients]);
  if (counts.failed > 0) process.exitCode = 1;
  console.log(`\n${counts.passed} passed, ${counts.failed} failed`);
}

async function checkClients(): Promise<Counts[]> {
  if (!(await hasPython())) {
    console.log("The Python clients were not run: they need python3, 3.10 or newer, with venv.");
    return [];
  }
  const programs = await makeEnvironment({ name: "weir-clients", requirements: new URL("./python/requirements.txt", import.meta.url) });
  const folder = await mkdtemp(join(tmpdir(), "weir-clients-"));
  const platform = await startPlatform();
  try {
    await publishClientModels(platform);
    return [...(await runScripts(programs, platform, folder)), ...(await checkApis(programs, platform, folder))];
  } finally {
    await platform.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runScripts(programs: string, { url, demoKey }: TestPlatform, folder: string): Promise<Counts[]> {
  const environment = {
    ...{ HOME: folder, URL: url, KEY: demoKey, WEIR_URL: url, WEIR_KEY: demoKey, FIXTURES },
    ...{ EMBED_MODEL: "minilm", GENERATE_MODEL: "smollm2", WEIR_EMBED: "minilm", WEIR_CLASSIFY: "sentiment", WEIR_GENERATE: "smollm2" },
  };
  const counts: Counts[] = [];
  for (const name of SCRIPTS) {
    const script = fileURLToPath(new URL(`./python/${name}.py`, import.meta.url));
    const ran = await run({ command: join(programs, "python"), args: [script], environment, timeoutMs: SCRIPT_TIMEOUT_MS });
    counts.push(countLines(ran.output, ran.exitCode));
  }
  return counts;
}

/** The operator's paths come last: what is written there changes the models, the splits and the limits that the others need. */
async function checkApis(programs: string, { url, demoKey, operatorKey }: TestPlatform, folder: string): Promise<Counts[]> {
  // The hooks send what would end a tenant to this one, or the run would soon ask with a closed tenant's key.
  await createAdminClient(createHttp({ url, key: operatorKey })).tenants.create({ id: "fuzzed" });
  const apis: Api[] = [
    { name: "tenant", url, key: demoKey, paths: /^\/(v1|v2|hf|health)(\/|$)/ },
    { name: "operator", url, key: operatorKey, paths: /^\/admin\// },
  ];
  const counts: Counts[] = [];
  for (const api of apis) counts.push(await checkApi(programs, api, folder));
  return counts;
}

await main();
