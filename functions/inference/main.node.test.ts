import { readdir, readFile, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { ClassifyRequest, EmbedRequest, ModelInput, TaskRequest } from "../../shared/inference/contract.ts";
import { blobKey } from "../../shared/models/version.ts";
import {
  folderOf,
  requestFor,
  type StoredVersion,
  startInference,
  storeVersion,
  type TestInference,
} from "../../test/harness/inference.ts";
import { startS3, type TestS3 } from "../../test/harness/s3.ts";

const BERT = folderOf("test/fixtures/models/tiny-bert-embed");
const SENTIMENT = folderOf("test/fixtures/models/tiny-bert-sentiment");
const BOMB = folderOf("test/fixtures/bad-models/bomb-time");
const LIMITS = { signal: new AbortController().signal, timeoutMs: 15_000 };
const SMALL = { WEIR_WORKERS: "1", WEIR_SESSION_MEMORY_MIB: "512" };

let s3: TestS3;
let bert: StoredVersion;
let sentiment: StoredVersion;
let bomb: StoredVersion;

beforeAll(async () => {
  s3 = await startS3();
  bert = await storeVersion(s3, BERT, "fp32");
  sentiment = await storeVersion(s3, SENTIMENT, "fp32");
  bomb = await storeVersion(s3, BOMB, "fp32");
  return () => s3.close();
});

const texts = (...all: string[]): ModelInput[] => all.map((text) => ({ kind: "text", text }));
const embed = (...all: string[]): EmbedRequest => ({ task: "embed", inputs: texts(...all), overlong: "cut" });
const classify = (...all: string[]): ClassifyRequest => ({ task: "classify", inputs: texts(...all), overlong: "cut" });

describe("a function with two workers", () => {
  let inference: TestInference;
  beforeAll(async () => {
    inference = await startInference(s3, { WEIR_WORKERS: "2", WEIR_BATCH_TOKENS: "256" });
    return () => inference.close();
  });

  test("many callers at once each get PyTorch's vectors", async () => {
    const { cases } = JSON.parse(await readFile(join(BERT, "expected.json"), "utf8")) as { cases: { text: string; embedding: number[] }[] };

    const results = await Promise.all(cases.map(({ text }) => inference.client.run(requestFor(bert, embed(text)), LIMITS)));
    const together = await inference.client.run(requestFor(bert, embed(...cases.map(({ text }) => text))), LIMITS);

    const vectors = [...results.flatMap(({ body }) => (body.task === "embed" ? [...body.vectors] : []))];
    const expected = cases.flatMap(({ embedding }) => embedding);
    for (const [at, value] of expected.entries()) expect(Math.abs(value - (vectors[at] ?? Number.NaN))).toBeLessThan(1e-4);
    if (together.body.task !== "embed") throw new Error("it embeds");
    for (const [at, value] of expected.entries()) expect(Math.abs(value - (together.body.vectors[at] ?? Number.NaN))).toBeLessThan(1e-4);
  });

  test("two models answer side by side, and a request says what it counted", async () => {
    const [one, other] = await Promise.all([
      inference.client.run(requestFor(bert, embed("a")), LIMITS),
      inference.client.run(requestFor(sentiment, classify("a", "")), LIMITS),
    ]);

    expect(one).toMatchObject({ inputTokens: [3], body: { dimensions: 48 } });
    expect(other).toMatchObject({ inputTokens: [3, 2], body: { labels: ["NEGATIVE", "POSITIVE"] } });
    expect(other.runMs).toBeGreaterThan(0);
  });

  test.each<[string, TaskRequest, object]>([
    ["another task", classify("a"), { code: "invalid_request", field: "model" }],
    ["dimensions beyond the model's", { ...embed("a"), task: "embed", dimensions: 49 }, { code: "invalid_request", field: "dimensions" }],
    [
      "an over-long text that may not be cut",
      { ...embed("a", "word ".repeat(99)), overlong: "refuse" },
      { code: "invalid_request", field: "input.1" },
    ],
    [
      "a token id outside of the vocabulary",
      { ...embed(), inputs: [{ kind: "tokens", tokenIds: [9_999] }] },
      { code: "invalid_request", field: "input.0" },
    ],
  ])("%s is refused", async (_, body, failure) => {
    await expect(inference.client.run(requestFor(bert, body), LIMITS)).rejects.toMatchObject(failure);
  });
});

describe("a function that is called wrongly", () => {
  let inference: TestInference;
  beforeAll(async () => {
    inference = await startInference(s3, SMALL);
    return () => inference.close();
  });

  test("bad bodies, unknown paths and a body without end are answered and not run", async () => {
    const post = (body: string | Uint8Array, headers = {}) => fetch(`${inference.url}/invocations`, { method: "POST", body, headers });

    expect((await fetch(`${inference.url}/ping`)).status).toBe(200);
    expect((await fetch(`${inference.url}/else`)).status).toBe(404);
    expect((await post("{")).status).toBe(400);
    expect((await post("{}", { "weir-timeout-ms": "soon" })).status).toBe(400);
    expect(await (await post('{"requestId":7}')).json()).toMatchObject({ error: { code: "invalid_request", field: "requestId" } });
    expect((await post(new Uint8Array(33 * 1024 ** 2))).status).toBe(413);
  });

  test("a version that the store does not have is engine_failed", async () => {
    const unknown = { ...bert, manifestDigest: "0".repeat(64) };

    await expect(inference.client.run(requestFor(unknown, embed("a")), LIMITS)).rejects.toMatchObject({ code: "engine_failed" });
  });

  test("a caller who leaves does not hold up the next", async () => {
    const leaving = new AbortController();
    const left = inference.client.run(requestFor(bert, embed("a")), { ...LIMITS, signal: leaving.signal });
    leaving.abort();

    await expect(left).rejects.toMatchObject({ code: "cancelled" });
    await inference.client.run(requestFor(bert, embed("b")), LIMITS);
  });
});

describe("trouble with workers", () => {
  test("a model that never ends costs its callers their time, is set aside, and leaves the others their worker", async () => {
    const inference = await startInference(s3, { ...SMALL, WEIR_RUN_TIMEOUT_MS: "700" });
    try {
      await inference.client.run(requestFor(bert, embed("a")), LIMITS);

      for (let death = 0; death < 2; death += 1) {
        await expect(inference.client.run(requestFor(bomb, classify("a")), LIMITS)).rejects.toMatchObject({ code: "timeout" });
        await inference.client.run(requestFor(bert, embed("a")), LIMITS);
      }

      await expect(inference.client.run(requestFor(bomb, classify("a")), LIMITS)).rejects.toThrow(/set aside/);
    } finally {
      await inference.close();
    }
  });

  test("a worker that is killed fails its requests with engine_failed and is there again for the next", async () => {
    const inference = await startInference(s3, SMALL);
    try {
      await inference.client.run(requestFor(bert, embed("a")), LIMITS);
      const running = inference.client.run(requestFor(bomb, classify("a")), LIMITS);
      const dying = expect(running).rejects.toMatchObject({ code: "engine_failed" });
      const [worker] = await childrenOf(inference.child.pid ?? 0);
      await untilBusy(worker ?? 0);
      process.kill(worker ?? 0, "SIGKILL");

      await dying;
      await inference.client.run(requestFor(bert, embed("a")), LIMITS);
      expect(inference.logged()).toContain("a worker ended and is started again");
    } finally {
      await inference.close();
    }
  });

  test("a worker goes with its function, even from inside a run that never ends", async () => {
    const inference = await startInference(s3, SMALL);
    const running = inference.client.run(requestFor(bomb, classify("a")), LIMITS).catch(() => undefined);
    const [worker = 0] = await childrenOf(inference.child.pid ?? 0);
    await untilBusy(worker);

    inference.child.kill("SIGKILL");

    await running;
    await untilGone(worker);
    await inference.close();
  });
});

describe("trouble with files and memory", () => {
  test("a model beyond the workers' memory limit is unavailable", async () => {
    const inference = await startInference(s3, { ...SMALL, WEIR_SESSION_MEMORY_MIB: "1" });
    try {
      await expect(inference.client.run(requestFor(bert, embed("a")), LIMITS)).rejects.toMatchObject({ code: "unavailable" });
    } finally {
      await inference.close();
    }
  });

  test("files that were changed in the cache are fetched again", async () => {
    const first = await startInference(s3, SMALL);
    await first.client.run(requestFor(bert, embed("a")), LIMITS);
    await first.stop();
    const blobs = join(first.cacheDir, "blobs");
    for (const name of await readdir(blobs)) await writeFile(join(blobs, name), "garbage");

    const second = await startInference(s3, { ...SMALL, WEIR_CACHE_DIR: first.cacheDir });

    await second.client.run(requestFor(bert, embed("a")), LIMITS);
    await second.close();
    await first.close();
  });

  test("content that is not what was published is engine_failed", async () => {
    const graph = sentiment.files.find(({ path }) => path.endsWith(".onnx"));
    const inference = await startInference(s3, SMALL);
    const key = blobKey(graph?.sha256 ?? "");
    try {
      await s3.put(key, "garbage");
      await expect(inference.client.run(requestFor(sentiment, classify("a")), LIMITS)).rejects.toMatchObject({ code: "engine_failed" });

      await s3.put(key, await readFile(join(SENTIMENT, "onnx/model.onnx")));
      await inference.client.run(requestFor(sentiment, classify("a")), LIMITS);
    } finally {
      await inference.close();
    }
  });
});

test("SIGTERM lets what is in flight end, takes nothing new and exits with 0", async () => {
  const inference = await startInference(s3, SMALL);
  const inFlight = Promise.all(Array.from({ length: 20 }, () => inference.client.run(requestFor(bert, embed("a")), LIMITS)));
  await untilConnected(inference.url);

  const code = inference.stop();

  expect(await inFlight).toHaveLength(20);
  expect(await code).toBe(0);
  await expect(inference.client.run(requestFor(bert, embed("a")), LIMITS)).rejects.toMatchObject({ code: "unavailable" });
  await inference.close();
});

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}

/** Until a process computes instead of waiting: its state in /proc is R. */
async function untilBusy(pid: number) {
  for (let calm = 0; calm < 5; ) calm = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.startsWith("R") ? calm + 1 : 0;
}

async function untilGone(pid: number) {
  while (await readFile(`/proc/${pid}/stat`).catch(() => undefined));
}

/** A request of its own has been answered, so those that were sent before it have arrived. */
function untilConnected(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    httpRequest(`${url}/ping`, (response) => response.resume().once("end", resolve))
      .once("error", reject)
      .end();
  });
}
