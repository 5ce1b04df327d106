import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import type { ModelInput } from "../contract.ts";
import { createDirectCoder } from "../runtime/direct-coder.ts";
import { readModelFiles } from "../runtime/model-files.ts";
import { createThreadCoders, type ThreadCoders, type ThreadCodersLimits } from "./coder-thread.ts";

const MODELS = fileURLToPath(new URL("../../../test/fixtures/models/", import.meta.url));
const BERT = join(MODELS, "tiny-bert-ner");
const INPUTS: ModelInput[] = [
  { kind: "text", text: "Ada Lovelace worked in London. ".repeat(20) },
  { kind: "text", text: "", textPair: "naïve 🙂" },
  { kind: "tokens", tokenIds: [5, 6] },
];
const ENDLESS = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
const HI = [{ role: "user", content: "Hi" }];

const opened: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

function start(limits: Partial<ThreadCodersLimits> = {}): ThreadCoders {
  const coders = createThreadCoders(limits);
  opened.push(coders);
  return coders;
}

/** A decoder that chats with a template of the test's own. */
async function chatting(template: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weir-coder-"));
  opened.push({ close: () => rm(folder, { recursive: true }) });
  await cp(join(MODELS, "tiny-gpt2"), folder, { recursive: true, filter: (path) => !path.endsWith(".onnx") });
  await writeFile(join(folder, "chat_template.jinja"), template);
  return folder;
}

describe("a thread's coder", () => {
  test("answers as the direct one does", async () => {
    const files = await readModelFiles(BERT);
    const { coder: direct, idMax } = createDirectCoder(files);
    const { coder, settings, idMax: idMaxThere } = await start().open(BERT);

    expect({ settings, idMaxThere }).toEqual({ settings: files.settings, idMaxThere: idMax });
    expect(await coder.encode(INPUTS, { overlong: "cut" })).toEqual(await direct.encode(INPUTS, { overlong: "cut" }));
    const windows = { overlong: "windows", stride: 7 } as const;
    expect(await coder.locate(INPUTS, windows)).toEqual(await direct.locate(INPUTS, windows));
    const tokens = [[2, 42, 3], []];
    expect(await coder.decode(tokens, { skipsSpecial: true })).toEqual(await direct.decode(tokens, { skipsSpecial: true }));
    expect(await coder.spell([2, 42])).toEqual(await direct.spell([2, 42]));
  });

  test("chats by the model's template", async () => {
    const folder = await chatting("{{ messages[0].content }}<|endoftext|>");
    const { coder } = await start().open(folder);
    const { coder: direct } = createDirectCoder(await readModelFiles(folder));

    expect(await coder.render(HI)).toBe("Hi<|endoftext|>");
    expect(await coder.prompt([HI, HI])).toEqual(await direct.prompt([HI, HI]));
  });

  test("refuses as the direct one does, and goes on", async () => {
    const { coder } = await start().open(BERT);

    await expect(coder.encode(INPUTS, { overlong: "refuse" })).rejects.toMatchObject({ code: "invalid_request", field: "input.0" });
    await expect(coder.render(HI)).rejects.toMatchObject({ code: "invalid_request", field: "messages" });
    expect((await coder.encode(INPUTS, { overlong: "cut" })).length).toBe(3);
  });

  test("refuses a folder that is no model, with the file's name", async () => {
    await expect(start().open(MODELS)).rejects.toMatchObject({ code: "invalid_request", field: "config.json" });
  });

  test("still knows a model whose tokenizer had to make room for another's", async () => {
    const coders = start({ threads: 1, tokenizersMax: 1 });
    const [bert, gpt2] = [await coders.open(BERT), await coders.open(join(MODELS, "tiny-gpt2"))];

    for (let round = 0; round < 2; round += 1) {
      expect((await bert.coder.encode(INPUTS, { overlong: "cut" })).length).toBe(3);
      expect(await gpt2.coder.decode([[48]], { skipsSpecial: false })).toEqual(["P"]);
    }
  });
});

describe("a thread", () => {
  test("that a template holds for ever is ended and started again; only the template's call is refused", async () => {
    const coders = start({ threads: 1, templateMsMax: 50 });
    const [endless, bert] = [await coders.open(await chatting(ENDLESS)), await coders.open(BERT)];

    const refused = expect(endless.coder.render(HI)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(/did not end within 50 ms/),
    });
    expect((await bert.coder.encode(INPUTS, { overlong: "cut" })).length).toBe(3);
    await refused;
  });

  test("that a template fills ends alone", async () => {
    const { coder } = await start({ threads: 1, templateHeapMibMax: 64, templateMsMax: 60_000 }).open(
      await chatting("{% set all = range(100000000) %}"),
    );

    await expect(coder.render(HI)).rejects.toMatchObject({ code: "invalid_request", message: expect.stringMatching(/more memory/) });
    await expect(coder.encode(INPUTS, { overlong: "cut" })).resolves.toHaveLength(3);
  });

  test("that takes too long over a text is ended", async () => {
    const coders = start({ threads: 1, callMsMax: 200 });
    const { coder } = await coders.open(BERT);

    await expect(coder.locate([{ kind: "text", text: "x y ".repeat(250_000) }], { overlong: "windows" })).rejects.toMatchObject({
      code: "timeout",
    });
  });
});

describe("whoever waits for a thread", () => {
  test("does so among no more than its limit", async () => {
    const { coder } = await start({ threads: 1, waitingMax: 2 }).open(BERT);
    const calls = Array.from({ length: 4 }, () => coder.spell([2]));

    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected"]);
    await expect(calls[3]).rejects.toMatchObject({ code: "overloaded" });
  });

  test("may leave, and is not worked for", async () => {
    const { coder } = await start({ threads: 1 }).open(BERT);
    const leaving = new AbortController();
    const first = coder.spell([2]);
    const waiting = coder.encode(INPUTS, { overlong: "cut" }, leaving.signal);

    leaving.abort();

    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await expect(coder.encode(INPUTS, { overlong: "cut" }, leaving.signal)).rejects.toMatchObject({ code: "cancelled" });
    await expect(first).resolves.toEqual(["[CLS]"]);
  });

  test("fails when the threads are closed", async () => {
    const coders = createThreadCoders({ threads: 1 });
    const { coder } = await coders.open(BERT);
    const calls = Promise.allSettled([coder.encode(INPUTS, { overlong: "cut" }), coder.spell([2])]);

    await coders.close();

    for (const each of [...(await calls), ...(await Promise.allSettled([coder.spell([2])]))])
      expect(each).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
  });
});
