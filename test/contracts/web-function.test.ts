import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { bundleGateway, DOCS_FOLDER, PROCESS_ENVIRONMENT } from "../../cdk/bundle.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import { createHttp } from "../../shared/clients/http.ts";
import { createModelsClient } from "../../shared/clients/models.ts";
import { startGateway, type TestGateway } from "../harness/gateway.ts";
import { startLambdaApi, type TestLambdaApi } from "../harness/lambda-api.ts";
import { freePort } from "../harness/ports.ts";
import { startS3, type TestS3 } from "../harness/s3.ts";
import { startSecretsManager, type TestSecretsManager } from "../harness/secrets-manager.ts";

const BUNDLE_GZIPPED_BYTES_MAX = 400_000;
const POLL_MS = 5;
const PEPPERS = '{"1":"a pepper for this test"}';
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
  bundleGateway(folder);
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

test("the bundle is at most 400 KB gzipped", async () => {
  const bytes = gzipSync(await readFile(join(folder, "index.js")), { level: 9 }).byteLength;

  expect(bytes).toBeLessThanOrEqual(BUNDLE_GZIPPED_BYTES_MAX);
});
