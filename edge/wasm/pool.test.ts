import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CallLimits, EmbedRequest, InferenceResult } from "../../shared/inference/contract.ts";
import type { GenerateEvent } from "../../shared/inference/generation.ts";
import { folderOf, requestFor, type StoredVersion, storeVersion } from "../../test/harness/inference.ts";
import { startS3, type TestS3 } from "../../test/harness/s3.ts";
import { createWasmPool, type WasmPool, type WasmPoolSettings } from "./pool.ts";

const MIB = 1024 ** 2;
const LIMITS: CallLimits = { signal: new AbortController().signal, timeoutMs: 60_000 };
const TINY_GPT2 = folderOf("test/fixtures/models/tiny-gpt2");
const TOLERANCE = 1e-3;

/** transformers' greedy answers: see the fixture's `reference`. */
type Continued = {
  readonly input_ids: readonly number[];
  readonly greedy_ids: readonly number[];
  readonly greedy_text: string;
  readonly greedy_logprobs: readonly number[];
};

let s3: TestS3;
let embedder: StoredVersion;
/** Shared by the tests that need no settings of their own: starting a thread is most of the work here. */
let pool: WasmPool;
let cacheDir: string;

beforeAll(async () => {
  s3 = await startS3();
  embedder = await storeVersion(s3, folderOf("test/fixtures/models/tiny-bert-embed"), "fp32");
  cacheDir = await mkdtemp(join(tmpdir(), "weir-edge-"));
  pool = await open();
});

afterAll(async () => {
  await pool.close();
  await s3.close();
  await rm(cacheDir, { recursive: true });
});

async function open(settings: Partial<WasmPoolSettings> = {}): Promise<WasmPool> {
  const { region, bucket, endpoint } = s3.settings;
  return createWasmPool({
    artefacts: { region, bucket, endpoint },
    cacheDir: await mkdtemp(join(cacheDir, "pool-")),
    cacheBytesMax: 256 * MIB,
    threads: 1,
    memoryBytesMax: 256 * MIB,
    log: () => {},
    ...settings,
  });
}

function embed(client: WasmPool, texts: readonly string[], limits: Partial<CallLimits> = {}): Promise<InferenceResult> {
  const inputs = texts.map((text) => ({ kind: "text", text }) as const);
  const body: EmbedRequest = { task: "embed", inputs, overlong: "cut" };
  return client.run(requestFor(embedder, body), { ...LIMITS, ...limits });
}

test("a text has the same vector alone and in company, with its tokens counted", async () => {
  const alone = await embed(pool, ["a river"]);
  const together = await embed(pool, ["the weir holds the water of a river", "a river"]);

  expect(alone.inputTokens).toEqual([together.inputTokens[1]]);
  if (alone.body.task !== "embed" || together.body.task !== "embed") throw new Error("it embeds");
  const { dimensions } = together.body;
  const second = together.body.vectors.subarray(dimensions);
  expect(Math.max(...alone.body.vectors.map((value, at) => Math.abs(value - (second[at] ?? Number.NaN))))).toBeLessThan(1e-5);
});

test("a thread whose memory has grown past its limit is replaced, and no caller notices", { timeout: 60_000 }, async () => {
  const logged: string[] = [];
  const small = await open({ spentBytesMin: MIB, log: (_level, message) => logged.push(message) });

  for (const text of ["a river", "a weir"]) expect((await embed(small, [text])).inputTokens).toHaveLength(1);

  // It says that it has grown after it has answered, so the last caller may be answered before that is heard.
  await expect
    .poll(() => logged.filter((message) => message.includes("started again")).length, { timeout: 10_000 })
    .toBeGreaterThanOrEqual(1);
  await small.close();
});

test("a model that is too large for the tier is refused before anything of it is fetched", async () => {
  const folder = await mkdtemp(join(cacheDir, "tiny-"));
  const tiny = await open({ cacheDir: folder, memoryBytesMax: MIB });

  await expect(embed(tiny, ["a river"])).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("this pool takes"),
  });

  expect(await readdir(join(folder, "blobs"))).toEqual([]);
  await tiny.close();
});

test("a caller who leaves is refused at once, and others are served", async () => {
  const leaving = new AbortController();
  const left = embed(pool, ["a river"], { signal: leaving.signal });

  leaving.abort();

  await expect(left).rejects.toMatchObject({ code: "cancelled" });
  expect((await embed(pool, ["a weir"])).inputTokens).toHaveLength(1);
});

test("closing ends what is under way, and takes nothing more", { timeout: 60_000 }, async () => {
  const closing = await open();
  const underWay = embed(closing, ["a river"]);

  const closed = closing.close();

  await expect(embed(closing, ["a weir"])).rejects.toMatchObject({ code: "unavailable" });
  expect((await underWay).inputTokens).toHaveLength(1);
  await closed;
});

test("a decoder continues several prompts side by side, each as PyTorch does", async () => {
  const decoder = await storeVersion(s3, TINY_GPT2, "fp32");
  const cases: readonly Continued[] = JSON.parse(await readFile(`${TINY_GPT2}/expected.json`, "utf8")).cases;

  const answers = await Promise.all(cases.map((one) => generate(decoder, one)));

  answers.forEach((events, at) => {
    const one = cases[at];
    const texts = events.flatMap((event) => (event.kind === "text" ? [event] : []));
    const drawn = texts.flatMap(({ logprobs = [] }) => logprobs);
    expect(texts.map(({ text }) => text).join("")).toBe(one?.greedy_text);
    expect(drawn.map(({ token }) => token)).toEqual(one?.greedy_ids);
    drawn.forEach(({ logprob }, place) => {
      expect(Math.abs((logprob ?? Number.NaN) - (one?.greedy_logprobs[place] ?? Number.NaN))).toBeLessThan(TOLERANCE);
    });
  });
});

function generate(decoder: StoredVersion, { input_ids: tokenIds }: Continued): Promise<GenerateEvent[]> {
  const { body: _, ...call } = requestFor(decoder, { task: "detect", texts: [] });
  const prompts = [{ kind: "tokens", tokenIds }] as const;
  const body = { task: "generate", prompts, n: 1, maxTokens: 24, sampling: { temperature: 0 }, stop: [], topLogprobs: 0 } as const;
  return Array.fromAsync(pool.generate({ ...call, requestId: `r${tokenIds.join()}`, body }, LIMITS));
}
