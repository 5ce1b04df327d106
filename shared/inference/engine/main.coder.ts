import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import {
  type CoderAnswer,
  type CoderCall,
  type CoderValue,
  type CoderWord,
  type CoderWork,
  memoryOf,
  pack,
  packEncoded,
  packLocated,
  thrownAs,
} from "../runtime/coder-wire.ts";
import { createDirectCoder, type DirectCoder } from "../runtime/direct-coder.ts";
import { type ModelSettings, readModelFiles } from "../runtime/model-files.ts";

// The thread of `createThreadCoders`: tokenizers work here, one call after the other.
if (parentPort !== null) serve(parentPort, Number(workerData));

type Loaded = DirectCoder & { readonly settings: ModelSettings };

function serve(port: MessagePort, tokenizersMax: number) {
  const loaded = new Map<string, Loaded>();
  let turn: Promise<void> = Promise.resolve();
  // The thread that starts this one sends calls and nothing else.
  port.on("message", (call: CoderCall) => {
    turn = turn.then(() => answer(call));
  });

  async function answer({ id, folder, work }: CoderCall) {
    const evicted = evictFor(folder);
    const evictedField = evicted !== undefined && { evicted };
    try {
      const isNew = !loaded.has(folder);
      const model = await get(folder);
      if (isNew) port.postMessage({ id, isLoaded: true } satisfies CoderWord);
      const value = await done(model, work);
      port.postMessage({ id, value, ...evictedField } satisfies CoderAnswer, memoryOf(value));
    } catch (error) {
      port.postMessage({ id, ...evictedField, ...thrownAs(error) } satisfies CoderAnswer);
    }
  }

  async function get(folder: string): Promise<Loaded> {
    const known = loaded.get(folder) ?? (await load(folder));
    // The last one in the map is the one that was used last.
    loaded.delete(folder);
    loaded.set(folder, known);
    return known;
  }

  function evictFor(folder: string): string | undefined {
    if (loaded.has(folder) || loaded.size < tokenizersMax) return undefined;
    const [oldest] = loaded.keys();
    if (oldest !== undefined) loaded.delete(oldest);
    return oldest;
  }
}

async function load(folder: string): Promise<Loaded> {
  const files = await readModelFiles(folder);
  return { settings: files.settings, ...createDirectCoder(files) };
}

async function done({ settings, specials, idMax, coder, encodeChats }: Loaded, work: CoderWork): Promise<CoderValue> {
  switch (work.kind) {
    case "open":
      return { kind: "open", settings, specials, idMax };
    case "encode":
      return { kind: "encode", packed: packEncoded(await coder.encode(work.inputs, work.how)) };
    case "locate":
      return { kind: "locate", packed: packLocated(await coder.locate(work.inputs, work.how)) };
    case "decode":
      return { kind: "decode", texts: await coder.decode(work.tokens, work.how) };
    case "spell":
      return { kind: "spell", texts: await coder.spell(work.tokens) };
    case "find":
      return { kind: "find", ids: await coder.find(work.spellings) };
    case "bare":
      return { kind: "bare", packed: pack(await encodeChats(work.chats)) };
    case "render":
      throw new Error("templates are rendered in a process of their own");
  }
}
