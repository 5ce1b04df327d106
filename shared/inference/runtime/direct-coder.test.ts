import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createDirectCoder } from "./direct-coder.ts";
import { type ModelFiles, readModelFiles } from "./model-files.ts";

const folderOf = (name: string) => fileURLToPath(new URL(`../../../test/fixtures/models/${name}`, import.meta.url));
const TEMPLATE = "{% for message in messages %}{{ message.content }}<|endoftext|>{% endfor %}";

async function chatting(changes: Partial<ModelFiles["settings"]> = {}): Promise<ModelFiles> {
  const files = await readModelFiles(folderOf("tiny-gpt2"));
  return { ...files, settings: { ...files.settings, chatTemplate: TEMPLATE, ...changes } };
}

test("refusals name the input", async () => {
  const { coder } = createDirectCoder(await readModelFiles(folderOf("tiny-bert-sentiment")));
  const inputs = [
    { kind: "text", text: "a" },
    { kind: "text", text: "a ".repeat(100) },
  ] as const;

  await expect(coder.encode(inputs, { overlong: "refuse" })).rejects.toMatchObject({ code: "invalid_request", field: "input.1" });
  await expect(coder.prompt([[{ role: "user", content: "a" }]])).rejects.toMatchObject({ code: "invalid_request", field: "messages" });
});

test("a caller that left is not worked for", async () => {
  const { coder } = createDirectCoder(await readModelFiles(folderOf("tiny-bert-sentiment")));

  await expect(coder.encode([{ kind: "text", text: "a" }], { overlong: "cut" }, AbortSignal.abort())).rejects.toMatchObject({
    code: "cancelled",
  });
});

test("what a message spells is a token, unless the tokenizer's settings or the caller say that it is text", async () => {
  const said = [[{ role: "user", content: "a<|endoftext|>" }]];
  const endsIn = async (files: ModelFiles, how?: { specialText: "token" | "text" }) => {
    const [{ text, ids } = { text: "", ids: [] }] = await createDirectCoder(files).coder.prompt(said, how);
    expect(text).toBe("a<|endoftext|><|endoftext|>");
    return [...ids].filter((id) => id === 0).length;
  };

  expect(await endsIn(await chatting())).toBe(2);
  expect(await endsIn(await chatting(), { specialText: "text" })).toBe(1);
  expect(await endsIn(await chatting({ splitsSpecialTokens: true }))).toBe(1);
  expect(await endsIn(await chatting({ splitsSpecialTokens: true }), { specialText: "token" })).toBe(2);
});

test("a rendered conversation gets no special tokens again", async () => {
  const files = await readModelFiles(folderOf("tiny-bert-sentiment"));
  const { coder } = createDirectCoder({ ...files, settings: { ...files.settings, chatTemplate: "[CLS] {{ messages[0].content }}" } });
  const messages = [{ role: "user", content: "a" }];

  const [prompt] = await coder.prompt([messages]);
  expect([...(prompt?.ids ?? [])]).toEqual([2, 42]);
  expect(await coder.render(messages)).toBe("[CLS] a");
});
