import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { InferenceClient } from "@huggingface/inference";
import { embedMany, generateText, jsonSchema, Output, streamText } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { FIXTURES, publishClientModels } from "../harness/client-models.ts";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

/** Digits of agreement with PyTorch that `toBeCloseTo` is asked for: within 5e-5. */
const DIGITS = 4;
const START_TIMEOUT_MS = 180_000;
const QUESTION = "What is the capital of France? Answer in one sentence.";

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startPlatform();
  await publishClientModels(platform);
}, START_TIMEOUT_MS);
afterAll(() => platform.remove());

/** The cases that PyTorch has answered, in a fixture's file. */
async function casesOf<T>(fixture: string, schema: z.ZodType<T>, file = "expected.json"): Promise<T[]> {
  return z.object({ cases: z.array(schema) }).parse(JSON.parse(await readFile(join(FIXTURES, fixture, file), "utf8"))).cases;
}

async function caseOf<T>(fixture: string, schema: z.ZodType<T>, file?: string): Promise<T> {
  const [first] = await casesOf(fixture, schema, file);
  if (first === undefined) throw new Error(`${fixture} has no cases`);
  return first;
}

/** The same but for the scores, which are as near as PyTorch's are printed. */
function alike<T extends { readonly score: number }>(expected: readonly T[]) {
  return expected.map((each) => ({ ...each, score: expect.closeTo(each.score, DIGITS) }));
}

const near = (vector: readonly number[]) => vector.map((value) => expect.closeTo(value, DIGITS));

const Embedded = z.object({ text: z.string(), embedding: z.array(z.number()) });
const Generated = z.object({
  prompt: z.string(),
  greedy_ids: z.array(z.int()),
  greedy_text: z.string(),
  greedy_logprobs: z.array(z.number()),
});

describe("the official openai client", () => {
  let client: OpenAI;
  beforeAll(() => {
    client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey: platform.demoKey, maxRetries: 0 });
  });

  test("gets a chat's answer as it is written, and its usage at the end", async () => {
    const messages = [{ role: "user" as const, content: QUESTION }];
    const asked = { model: "smollm2", messages, temperature: 0, max_tokens: 24 };
    const whole = await client.chat.completions.create(asked);
    const stream = await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });

    const [pieces, usages]: [string[], unknown[]] = [[], []];
    for await (const { choices, usage } of stream) {
      pieces.push(choices[0]?.delta.content ?? "");
      if (usage) usages.push(usage);
    }

    expect(pieces.filter((piece) => piece !== "").length).toBeGreaterThan(3);
    expect(pieces.join("")).toBe(whole.choices[0]?.message.content);
    expect(pieces.join("")).toContain("Paris");
    expect(usages).toEqual([whole.usage]);
  });

  test("continues a text with PyTorch's own tokens, text and log-probabilities", async () => {
    const { prompt, greedy_text, greedy_logprobs } = await caseOf("tiny-gpt2", Generated);

    const { choices } = await client.completions.create({
      ...{ model: "gpt2", prompt, temperature: 0, max_tokens: greedy_logprobs.length, logprobs: 1 },
    });

    expect(choices[0]?.text).toBe(greedy_text);
    expect(choices[0]?.logprobs?.token_logprobs).toEqual(near(greedy_logprobs));
  });

  test.each(["float", "base64", undefined] as const)("gets PyTorch's vectors when it asks for %s", async (encoding) => {
    const cases = (await casesOf("tiny-bert-embed", Embedded)).filter(({ text }) => text.trim() !== "");
    const asked = { model: "embed", input: cases.map(({ text }) => text).slice(0, 4) };

    const answer = await client.embeddings.create(encoding === undefined ? asked : { ...asked, encoding_format: encoding });

    // Where base64 is asked for in so many words, the client hands it on as it came.
    const vectors = answer.data.map(({ embedding }) => (encoding === "base64" ? decoded(embedding) : embedding));
    expect(vectors).toEqual(cases.slice(0, 4).map(({ embedding }) => near(embedding)));
  });
});

function decoded(embedding: unknown): number[] {
  const bytes = Buffer.from(z.string().parse(embedding), "base64");
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4));
}

const hub = () => new InferenceClient(platform.demoKey);
const at = (path: string) => `${platform.url}/hf/${path}`;

describe("the official Hugging Face client, asked about texts", () => {
  test("extracts features and compares sentences", async () => {
    const cases = await casesOf("tiny-bert-embed", Embedded);
    const [first, second] = cases.filter(({ text }) => text.trim() !== "");
    if (first === undefined || second === undefined) throw new Error("two texts are compared");
    const cosine = first.embedding.reduce((sum, value, index) => sum + value * (second.embedding[index] ?? 0), 0);

    expect(await hub().featureExtraction({ endpointUrl: at("embed"), inputs: [first.text, second.text] })).toEqual([
      near(first.embedding),
      near(second.embedding),
    ]);
    const inputs = { source_sentence: first.text, sentences: [second.text] };
    expect(await hub().sentenceSimilarity({ endpointUrl: at("embed"), inputs })).toEqual([expect.closeTo(cosine, DIGITS)]);
  });

  test("classifies a text", async () => {
    const Classified = z.object({ text: z.string(), scores: z.array(z.object({ label: z.string(), score: z.number() })) });
    const { text, scores } = await caseOf("tiny-bert-sentiment", Classified);

    const labels = await hub().textClassification({ endpointUrl: at("sentiment"), inputs: text });

    expect(labels).toEqual(alike(scores.sort((a, b) => b.score - a.score)));
  });

  test("finds entities with their places", async () => {
    const Entity = z.object({ entity_group: z.string(), score: z.number(), word: z.string(), start: z.int(), end: z.int() });
    const { text, simple, average } = await caseOf(
      "tiny-bert-ner",
      z.object({ text: z.string(), simple: z.array(Entity), average: z.array(Entity) }),
    );
    const parameters = { aggregation_strategy: "average" as const };

    expect(await hub().tokenClassification({ endpointUrl: at("ner"), inputs: text })).toEqual(alike(simple));
    expect(await hub().tokenClassification({ endpointUrl: at("ner"), inputs: text, parameters })).toEqual(alike(average));
  });
});

describe("the official Hugging Face client, asked about parts of texts", () => {
  test("answers a question from a text", async () => {
    const Answer = z.object({ score: z.number(), start: z.int(), end: z.int(), answer: z.string() });
    const { question, context, top } = await caseOf(
      "tiny-bert-qa",
      z.object({ question: z.string(), context: z.string(), top: z.array(Answer) }),
    );

    const answer = await hub().questionAnswering({ endpointUrl: at("qa"), inputs: { question, context } });

    expect(answer).toEqual(alike(top)[0]);
  });

  test("fills a mask", async () => {
    const Filling = z.object({ score: z.number(), token: z.int(), token_str: z.string(), sequence: z.string() });
    const { text, result } = await firstFilling(Filling);

    expect(await hub().fillMask({ endpointUrl: at("mlm"), inputs: text })).toEqual(alike(result));
  });

  test("finds the labels that fit, by inference and by likeness", async () => {
    const { text, candidate_labels, labels, scores } = await caseOf("tiny-roberta-nli", Zero, "expected.zero-shot.json");
    const weather = { inputs: "The river is high after the rain.", parameters: { candidate_labels: ["money", "weather"] } };

    const found = await hub().zeroShotClassification({ endpointUrl: at("nli"), inputs: text, parameters: { candidate_labels } });
    const [likeliest] = await hub().zeroShotClassification({ endpointUrl: at("minilm"), ...weather });

    expect(found).toEqual(labels.map((label, index) => ({ label, score: expect.closeTo(scores[index] ?? Number.NaN, DIGITS) })));
    expect(likeliest?.label).toBe("weather");
  });

  test("summarises a text in its own sentences", async () => {
    const inputs =
      "A weir stands across a river. It holds the water back. Cats sleep all day. The weir splits the river between two mills.";

    const { summary_text } = await hub().summarization({ endpointUrl: at("minilm/pipeline/extractive-summarization"), inputs });

    expect(summary_text.length).toBeLessThan(inputs.length);
    expect(summary_text).toContain("weir");
  });
});

describe("the official Hugging Face client, asked to write", () => {
  test("continues a text, whole and as it is written", async () => {
    const { prompt, greedy_ids, greedy_text } = await caseOf("tiny-gpt2", Generated);
    const parameters = { max_new_tokens: greedy_ids.length, temperature: 0 };
    const asked = { endpointUrl: at("gpt2"), inputs: prompt, parameters };

    const pieces: string[] = [];
    // The client asks below its endpoint in OpenAI's form, and hands the events of a stream on as they come.
    for await (const event of hub().textGenerationStream(asked)) pieces.push(Completed.parse(event).choices[0]?.text ?? "");

    expect((await hub().textGeneration(asked)).generated_text).toBe(greedy_text);
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join("")).toBe(greedy_text);
  });

  test("talks to a model with a chat template", async () => {
    const messages = [{ role: "user", content: QUESTION }];

    const { choices } = await hub().chatCompletion({ endpointUrl: at("smollm2"), messages, temperature: 0, max_tokens: 24 });

    expect(choices[0]?.message.content).toContain("Paris");
  });
});

const Completed = z.object({ choices: z.array(z.object({ text: z.string() })) });
const Zero = z.object({
  text: z.string(),
  candidate_labels: z.array(z.string()),
  labels: z.array(z.string()),
  scores: z.array(z.number()),
});

/** The first case of one mask: those of several have a list for each. */
async function firstFilling<T>(filling: z.ZodType<T>): Promise<{ text: string; result: T[] }> {
  const cases = await casesOf("tiny-roberta-mlm", z.object({ text: z.string(), result: z.array(z.unknown()) }));
  const OneMask = z.object({ text: z.string(), result: z.array(filling) });
  const found = cases.map((each) => OneMask.safeParse(each)).find(({ success }) => success);
  if (found?.data === undefined) throw new Error("no case has one mask");
  return found.data;
}

describe("the AI SDK", () => {
  let provider: ReturnType<typeof createOpenAICompatible>;
  beforeAll(() => {
    const where = { name: "weir", baseURL: `${platform.url}/v1`, apiKey: platform.demoKey };
    provider = createOpenAICompatible({ ...where, includeUsage: true, supportsStructuredOutputs: true });
  });

  test("generates a text, and the same as it is written", async () => {
    const asked = { model: provider("smollm2"), prompt: QUESTION, temperature: 0, maxOutputTokens: 24, maxRetries: 0 };

    const whole = await generateText(asked);
    const streamed = streamText(asked);
    const pieces: string[] = [];
    for await (const piece of streamed.textStream) pieces.push(piece);

    expect(whole.text).toContain("Paris");
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join("")).toBe(whole.text);
    expect(await streamed.usage).toMatchObject({ outputTokens: whole.usage.outputTokens, totalTokens: whole.usage.totalTokens });
  });

  test("gets an object of the schema that it asks for", async () => {
    const Capital = z.strictObject({ city: z.string().max(20), isInEurope: z.boolean() });
    const { $schema: _, ...schema } = z.toJSONSchema(Capital);

    const { output } = await generateText({
      ...{ model: provider("smollm2"), prompt: QUESTION, temperature: 0, maxOutputTokens: 64, maxRetries: 0 },
      // What zod writes is JSON Schema; the SDK's type names the same keywords.
      output: Output.object({ schema: jsonSchema<unknown>(schema as Parameters<typeof jsonSchema>[0]) }),
    });

    expect(Capital.parse(output)).toEqual(output);
  });

  test("embeds many texts", async () => {
    const { text, embedding } = await caseOf("tiny-bert-embed", Embedded);

    const { embeddings } = await embedMany({ model: provider.embeddingModel("embed"), values: [text, text], maxRetries: 0 });

    expect(embeddings).toEqual([near(embedding), near(embedding)]);
  });
});
