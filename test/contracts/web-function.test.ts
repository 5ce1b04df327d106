import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { bundleGateway, DOCS_FOLDER, PROCESS_ENVIRONMENT } from "../../cdk/bundle.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import { createHttp } from "../../shared/clients/http.ts";
import { createModelsClient } from "../../shared/clients/models.ts";
import { reshare } from "../../shared/routing/split.ts";
import { gzippedAtStart } from "../harness/bundle.ts";
import { CHANGE, startGateway, type TestGateway } from "../harness/gateway.ts";
import { folderOf, type StoredVersion, storeVersion } from "../harness/inference.ts";
import { startLambdaApi, type TestLambdaApi } from "../harness/lambda-api.ts";
import { freePort } from "../harness/ports.ts";
import { startS3, type TestS3 } from "../harness/s3.ts";
import { startSecretsManager, type TestSecretsManager } from "../harness/secrets-manager.ts";

const BUNDLE_GZIPPED_BYTES_MAX = 400_000;
const POLL_MS = 5;
const PEPPERS = '{"1":"a pepper for this test"}';
const EDGE_POOL = { name: "edge", tier: "edge", kind: "wasm" } as const;
const ORIGIN = "an origin secret for this test";

let folder: string;
/** A gateway of the same installation in this process: it makes keys in the store that the bundle reads. */
let neighbour: TestGateway;
let s3: TestS3;
let lambda: TestLambdaApi;
let secrets: TestSecretsManager;
let bundle: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-bundle-"));
  bundleGateway(folder, { hasEdgeTier: true });
  neighbour = await startGateway({ environment: { WEIR_PEPPERS: PEPPERS } });
  s3 = await startS3();
  lambda = await startLambdaApi();
  secrets = await startSecretsManager({ "arn:peppers": PEPPERS, "arn:origin": ORIGIN });
});

afterAll(async () => {
  await Promise.all([neighbour.close(), s3.close(), lambda.close(), secrets.close()]);
  await rm(folder, { recursive: true });
});

afterEach(() => bundle?.kill("SIGKILL"));

/** Starts the bundle as Lambda does: `index.js`, told where to listen by one variable. */
function start(environment: Record<string, string>): ChildProcess {
  const env = {
    ...PROCESS_ENVIRONMENT,
    PATH: process.env["PATH"],
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_ENDPOINT_URL_LAMBDA: lambda.endpoint,
    WEIR_BUCKET: s3.settings.bucket,
    WEIR_S3_ENDPOINT: s3.settings.endpoint,
    WEIR_DYNAMO_ENDPOINT: neighbour.deps.config.WEIR_DYNAMO_ENDPOINT,
    WEIR_POOLS: '[{"name":"cpu","tier":"cpu","kind":"lambda","functionName":"cpu"}]',
    WEIR_INTAKE: '{"kind":"lambda","functionName":"intake"}',
    WEIR_DOCS_ASSETS: join(folder, DOCS_FOLDER),
    WEIR_SECRET_PEPPERS: "arn:peppers",
    WEIR_SECRETS_ENDPOINT: secrets.endpoint,
    ...environment,
  };
  bundle = spawn(process.execPath, ["index.js"], { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
  return bundle;
}

async function startServing(environment: Record<string, string> = {}): Promise<string> {
  const port = await freePort();
  const child = start({ AWS_LAMBDA_HTTP_ENDPOINT: `127.0.0.1:${port}`, ...environment });
  const url = `http://127.0.0.1:${port}`;
  // Lambda, too, tries the port until it answers.
  while ((await fetch(url).catch(() => undefined)) === undefined) {
    if (child.exitCode !== null) throw new Error(`the bundle ended with ${child.exitCode}`);
    await sleep(POLL_MS);
  }
  return url;
}

test("the bundle listens where Lambda says and serves whom CloudFront sends, with keys made under the fetched pepper", async () => {
  const url = await startServing({ WEIR_SECRET_ORIGIN_A: "arn:origin" });
  const statusOf = async (path: string, headers: Record<string, string>) => (await fetch(url + path, { headers })).status;
  const authorization = `Bearer ${neighbour.operatorKey}`;

  expect(await statusOf("/v1/models", { "weir-origin": ORIGIN, authorization })).toBe(200);
  expect(await statusOf("/v1/models", { "weir-origin": ORIGIN, authorization: "Bearer nonsense" })).toBe(401);
  expect(await statusOf("/v1/models", { authorization })).toBe(403);
  expect(await statusOf("/docs/swagger-ui.css", { "weir-origin": ORIGIN })).toBe(200);
});

test("a version is published through the bundle: parts by presigned URLs, and intake told through the Lambda API", async () => {
  const models = createModelsClient(createHttp({ url: await startServing(), key: neighbour.operatorKey }));
  const contents = new Map(["config.json", "tokenizer.json", "onnx/model.onnx"].map((path) => [path, `what ${path} holds`]));
  const files = [...contents].map(([path, content]) => ({ path, bytes: content.length, sha256: sha256Hex(content) }));
  const upload = { files, placement: { pool: "cpu", dtype: "fp32" as const } };

  const { parts } = await models.planUpload("bundled", upload);
  for (const part of parts) {
    const body = contents.get(files.find(({ sha256 }) => sha256 === part.sha256)?.path ?? "") ?? "";
    expect((await fetch(part.url, { method: "PUT", body })).status).toBe(200);
  }
  const version = await models.makeVersion("bundled", upload);

  expect(version).toMatchObject({ model: "bundled", number: 1, state: "checking" });
  expect(lambda.events).toEqual([{ functionName: "intake", payload: expect.objectContaining({ model: "bundled", number: 1 }) }]);
});

test("a small model is served by threads of the bundle itself, which are started with its first request", { timeout: 60_000 }, async () => {
  const stored = await storeVersion(s3, folderOf("test/fixtures/models/tiny-bert-embed"), "fp32");
  await addModel("tiny", stored);
  const url = await startServing({ WEIR_POOLS: JSON.stringify([{ ...EDGE_POOL, cacheDir: join(folder, "edge-cache") }]) });

  const answer = await fetch(`${url}/v1/embeddings`, {
    method: "POST",
    headers: { authorization: `Bearer ${neighbour.operatorKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "tiny", input: ["a river", "a weir"] }),
  });

  expect(await answer.json()).toMatchObject({ data: [{ embedding: expect.any(Array) }, { embedding: expect.any(Array) }] });
  expect([answer.status, answer.headers.get("weir-tier")]).toEqual([200, "edge"]);
});

/** Puts a stored version where the gateway looks for it, as intake's check would. */
async function addModel(model: string, { manifestDigest, dtype, files, facts }: StoredVersion): Promise<void> {
  const { models, versions, splits } = neighbour.deps.control;
  await models.append(model, 0, { body: { name: model, tenants: "*" }, change: CHANGE });
  const placement = { pool: EDGE_POOL.name, dtype };
  const base = { model, number: 1, contentDigest: `content of ${model}`, state: "ready" } as const;
  await versions.append({ ...base, files: [...files], placement, facts, manifestDigest }, 0, CHANGE);
  await splits.append(model, 0, { body: reshare(model, undefined, [{ version: 1, shareBps: 10_000 }]), change: CHANGE });
}

test("told to end, the bundle ends by itself with 0", async () => {
  await startServing();

  bundle?.kill("SIGTERM");

  const [code] = bundle === undefined ? [] : await once(bundle, "exit");
  expect(code).toBe(0);
});

test("without its address the bundle ends at once and says what is missing", async () => {
  const child = start({});

  const [said, [code]] = await Promise.all([child.stderr === null ? "" : text(child.stderr), once(child, "exit")]);

  expect(code).toBe(1);
  expect(said).toContain("AWS_LAMBDA_HTTP_ENDPOINT");
});

test("what the bundle loads at its start is at most 400 KB gzipped", () => {
  expect(gzippedAtStart(folder)).toBeLessThanOrEqual(BUNDLE_GZIPPED_BYTES_MAX);
});
