import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPickedSession } from "../../shared/inference/runtime/generate/picked-session.ts";
import { type DecoderOptions, writeDecoder } from "../../test/harness/decoder-graph.ts";
import { ask, finish, startGenerator, TINY_GPT2 } from "../../test/harness/generating.ts";
import { loadWasmRuntime, openWasmGraph, openWasmSession } from "./session.ts";

const SMALL = { layers: 2, heads: 4, headDim: 16, vocabSize: 1_000, positionsMax: 256, attention: "concat" } as const;
const DECODERS: Readonly<Record<string, DecoderOptions>> = {
  "GPT-2's": SMALL,
  "a float16 cache": { ...SMALL, cacheType: "float16" },
  "grouped-query attention": { ...SMALL, attention: "grouped", kvHeads: 2 },
};
const NEW_TOKENS = 24;

const folder = mkdtempSync(join(tmpdir(), "weir-wasm-decoders-"));
beforeAll(loadWasmRuntime);
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(Object.entries(DECODERS))("%s", (name, options) => {
  test("is continued in WASM as by the native runtime, also side by side", async () => {
    const graph = join(folder, `${name.replaceAll(/\W/g, "-")}.onnx`);
    writeFileSync(graph, writeDecoder(options));
    const session = await openPickedSession({ openFile: openWasmSession, openGraph: openWasmGraph }, graph);
    const settings = { graph, folder: TINY_GPT2, config: { tokensMax: 256 }, endTokens: [-1] };
    const prompts = [37, 5].map((size) => Int32Array.from({ length: size }, (_, at) => 1 + ((at * 7_919) % 998)));

    const native = await answersTo(await startGenerator(settings), prompts);
    const wasm = await answersTo(await startGenerator({ ...settings, session }), prompts);

    expect(wasm).toEqual(native);
    expect(wasm.map((ids) => ids.length)).toEqual([NEW_TOKENS, NEW_TOKENS]);
  });
});

async function answersTo({ generator, close }: Awaited<ReturnType<typeof startGenerator>>, prompts: readonly Int32Array[]) {
  const orders = prompts.map((prompt, at) => ({
    id: `${at}`,
    prompts: [prompt],
    maxTokens: NEW_TOKENS,
    sampling: { temperature: 0 },
    topLogprobs: 0,
  }));
  const answers = await Promise.all(orders.map((order) => ask(generator, order)));
  await finish(generator);
  const ids = answers.map(({ choices: [choice] }) => choice?.logprobs.map(({ token }) => token) ?? []);
  await close();
  return ids;
}
