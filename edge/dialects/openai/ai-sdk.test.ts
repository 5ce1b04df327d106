import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, Output, streamText } from "ai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Failure } from "../../../shared/base/failure.ts";
import { failsAfter } from "../../../test/harness/generation-double.ts";
import { type Serving, startServing } from "../../../test/harness/serving.ts";

let weir: Serving;
let provider: ReturnType<typeof createOpenAICompatible>;
beforeAll(async () => {
  weir = await startServing();
  provider = createOpenAICompatible({
    name: "weir",
    baseURL: `${weir.url}/v1`,
    apiKey: weir.key,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.generations.length = 0;
  await weir.newRows();
});

const prompt = "what does a weir do";

test("generateText reads a text, its usage and why it ended", async () => {
  const result = await generateText({
    model: provider("smol"),
    prompt,
    system: "be brief",
    temperature: 0,
    maxOutputTokens: 4,
    maxRetries: 0,
  });

  expect(result.text.split(" ")).toHaveLength(4);
  expect(result.finishReason).toBe("length");
  expect(result.usage).toMatchObject({ outputTokens: 4, totalTokens: (result.usage.inputTokens ?? 0) + 4 });
  expect(result.response.modelId).toBe("smol@1");
  expect(weir.model.generations).toMatchObject([{ body: { maxTokens: 4, sampling: { temperature: 0 } } }]);
  expect(await weir.newRows()).toMatchObject([{ ta: "generate", oc: "ok", to: "4" }]);
});

test("streamText gives the same text in pieces, and the usage at its end", async () => {
  const { text } = await generateText({ model: provider("smol"), prompt, seed: 3, maxRetries: 0 });
  const result = streamText({ model: provider("smol"), prompt, seed: 3, maxRetries: 0 });

  const pieces: string[] = [];
  for await (const piece of result.textStream) pieces.push(piece);

  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join("")).toBe(text);
  expect(await result.finishReason).toBe("stop");
  expect(await result.usage).toMatchObject({ outputTokens: 6 });
});

test("streamText learns of a stream that breaks", async () => {
  const failure = new Failure("engine_failed", "The worker crashed.");
  weir.model.nextGeneration(failsAfter(failure, { kind: "begun", inputTokens: [1] }, { kind: "text", choice: 0, text: "a", tokens: 1 }));
  const errors: unknown[] = [];

  const result = streamText({ model: provider("smol"), prompt, maxRetries: 0, onError: ({ error }) => void errors.push(error) });
  for await (const _ of result.textStream);

  expect(JSON.stringify(errors)).toContain("The worker crashed.");
  expect(await weir.newRows()).toMatchObject([{ oc: "cut", to: "1" }]);
});

test("the completion model generates, too", async () => {
  const { text } = await generateText({ model: provider.completionModel("smol"), prompt, maxRetries: 0 });

  expect(text.split(" ")).toHaveLength(6);
});

test("structured output is asked of the model as a schema, and its answer is an object", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, gates: { type: "integer" } },
    required: ["name", "gates"],
  } as const;

  const { output } = await generateText({
    model: provider("smol"),
    prompt,
    maxRetries: 0,
    output: Output.object({ schema: jsonSchema<{ name: string; gates: number }>(schema) }),
  });

  expect(output).toEqual({ name: "weir", gates: 3 });
  expect(weir.model.generations).toMatchObject([{ body: { format: { kind: "json_schema", schema } } }]);
});

test("embedMany reads vectors", async () => {
  const { embeddings, usage } = await embedMany({
    model: provider.embeddingModel("minilm"),
    values: ["a weir", "a river runs"],
    maxRetries: 0,
  });

  expect(embeddings.map((vector) => vector.length)).toEqual([8, 8]);
  expect(Math.hypot(...(embeddings[0] ?? []))).toBeCloseTo(1, 5);
  expect(usage.tokens).toBe(9);
});
