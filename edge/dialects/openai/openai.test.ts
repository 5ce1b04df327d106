import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { runModel } from "../../../test/harness/model-double.ts";
import { EMBED, type Serving, startServing } from "../../../test/harness/serving.ts";
import { ModelList } from "./models.ts";

let weir: Serving;
let client: OpenAI;
beforeAll(async () => {
  weir = await startServing();
  client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: weir.key, maxRetries: 0 });
});
afterAll(() => weir.close());
beforeEach(async () => {
  weir.model.asked.length = 0;
  await weir.newRows();
});

/** What the pool itself gives for texts: the client must see exactly these numbers. */
async function vectorsOf(...texts: string[]): Promise<number[][]> {
  const [request] = weir.model.asked;
  if (request === undefined) throw new Error("the pool was not asked");
  const inputs = texts.map((text) => ({ kind: "text" as const, text }));
  const { body } = await runModel({ ...request, body: { task: "embed", inputs, overlong: "refuse" } });
  if (body.task !== "embed") throw new Error("no vectors");
  return texts.map((_, row) => Array.from(body.vectors.subarray(row * body.dimensions, (row + 1) * body.dimensions)));
}

test("the official client reads vectors in its default form, base64, bit by bit", async () => {
  const answer = await client.embeddings.create({ model: "minilm", input: ["a weir", "a river runs"] });

  expect(answer.data.map(({ embedding }) => embedding)).toEqual(await vectorsOf("a weir", "a river runs"));
  expect(answer.data.map(({ index }) => index)).toEqual([0, 1]);
  expect(answer.model).toBe("minilm@1");
  expect(answer.usage).toEqual({ prompt_tokens: 9, total_tokens: 9 });
});

test("floats, one text and fewer dimensions are answered as asked", async () => {
  const answer = await client.embeddings.create({ model: "minilm@2", input: "a weir", encoding_format: "float", dimensions: 3 });

  expect(answer.data[0]?.embedding).toHaveLength(3);
  expect(weir.model.asked).toMatchObject([{ version: 2, body: { task: "embed", dimensions: 3, overlong: "refuse" } }]);
});

test("token ids are taken as one input, lists of them as many", async () => {
  await client.embeddings.create({ model: "minilm", input: [101, 2023, 102] });
  const answer = await client.embeddings.create({
    model: "minilm",
    input: [
      [101, 102],
      [101, 7, 102],
    ],
  });

  expect(answer.usage.prompt_tokens).toBe(5);
  expect(weir.model.asked.map(({ body }) => body.task === "embed" && body.inputs)).toEqual([
    [{ kind: "tokens", tokenIds: [101, 2023, 102] }],
    [
      { kind: "tokens", tokenIds: [101, 102] },
      { kind: "tokens", tokenIds: [101, 7, 102] },
    ],
  ]);
});

test("an answered request leaves exactly one row, with what served and what it took", async () => {
  const { response } = await client.embeddings.create({ model: "minilm", input: ["one", "two words"], user: "u1" }).withResponse();

  expect(response.headers.get("weir-model")).toBe("minilm@1");
  expect(response.headers.get("weir-arm")).toBe("stable");
  expect(response.headers.get("weir-tier")).toBe("cpu");
  expect(await weir.newRows()).toMatchObject([
    {
      sk: `acme#${response.headers.get("weir-request-id")}`,
      ...{ st: "S", mo: "minilm", v: "1", sv: "1", ab: "stable", tr: "cpu", di: "openai", ta: "embed", oc: "ok" },
      ...{ q: "2", ti: "7", to: "0", ms: "3", pv: "0", k: weir.key.split("_")[3] },
    },
  ]);
});

test("a pinned version and a user's arm are what the row says", async () => {
  await weir.addVersion("forked", { facts: EMBED });
  await weir.addVersion("forked", { facts: EMBED });
  await weir.setShares("forked", [
    { version: 1, shareBps: 5_000 },
    { version: 2, shareBps: 5_000 },
  ]);
  const armOf = async (user: string) => (await client.embeddings.create({ model: "forked", input: "x", user })).model;

  const seen = await Promise.all(["a", "b", "c", "d", "e", "f", "a", "b", "c", "d", "e", "f"].map(armOf));
  await client.embeddings.create({ model: "forked@2", input: "x" });

  expect(seen.slice(6)).toEqual(seen.slice(0, 6)); // the same user, the same arm
  expect(new Set(seen)).toEqual(new Set(["forked@1", "forked@2"]));
  const arms = (await weir.newRows()).map((row) => `${row["ab"]} ${row["v"]}`);
  expect(arms.filter((each) => each === "pinned 2")).toHaveLength(1);
  expect(arms.filter((each) => each === "stable 1")).toHaveLength(seen.filter((each) => each === "forked@1").length);
  expect(arms.filter((each) => each === "canary 2")).toHaveLength(seen.filter((each) => each === "forked@2").length);
});

test("models are listed as the tenant may see them, and shown by any reference", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  const shown = await client.models.retrieve("minilm@2");

  expect(names).toEqual(expect.arrayContaining(["minilm", "sentiment"]));
  expect(names).not.toContain("hidden");
  expect(shown).toMatchObject({ id: "minilm@2", object: "model", owned_by: "weir", version: 2, task: "embed" });
  expect(shown).toMatchObject({ tasks: ["embed", "zero-shot", "rerank", "keywords", "summarize", "forward"] });
  expect(await client.models.retrieve("smol")).toMatchObject({ task: "generate", tasks: ["generate"] });
});

test("pages of models follow each other", async () => {
  const first = ModelList.parse(await (await weir.get("/v1/models?limit=1")).json());
  const second = ModelList.parse(await (await weir.get(`/v1/models?limit=1&after=${first.last_id}`)).json());

  expect(first).toMatchObject({ object: "list", has_more: true });
  expect(second.data).not.toEqual(first.data);
});

test("each refusal is the client's own error class, and nothing is metered", async () => {
  const embed = (model: string, more: object = {}) => client.embeddings.create({ model, input: "x", ...more });
  const stranger = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: "sk-wrong", maxRetries: 0 });
  const looker = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: await weir.makeKey("acme", "usage"), maxRetries: 0 });

  await expect(stranger.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
  await expect(looker.embeddings.create({ model: "minilm", input: "x" })).rejects.toThrow(OpenAI.PermissionDeniedError);
  await expect(embed("nothing")).rejects.toMatchObject({ status: 404, code: "model_not_found", param: "model" });
  await expect(embed("nothing")).rejects.toThrow(OpenAI.NotFoundError);
  await expect(embed("minilm", { dimensions: 9 })).rejects.toMatchObject({ status: 400, param: "dimensions" });
  await expect(embed("minilm", { input: "far too many words ".repeat(5) })).rejects.toThrow(OpenAI.BadRequestError);
  await expect(embed("sentiment")).rejects.toMatchObject({ status: 400, param: "model" });
  expect(await weir.newRows()).toEqual([]);
});

test("a model that does not exist and one of another tenant give one answer", async () => {
  const ask = async (model: string) => {
    const answer = await weir.post("/v1/embeddings", { model, input: "x" });
    return { status: answer.status, text: (await answer.text()).replaceAll(model, "…") };
  };

  expect(await ask("hidden")).toEqual(await ask("nowhere"));
  expect(await ask("hidden@1")).toEqual(await ask("nowhere@1"));
  expect(await ask("minilm:staging")).toEqual(await ask("minilm@99"));
});
