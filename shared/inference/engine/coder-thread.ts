import type { ChatMessage } from "../generation.ts";
import type { TextCoder } from "../runtime/coder.ts";
import { type CoderValue, unpackEncoded, unpackLocated, unpackRendered } from "../runtime/coder-wire.ts";
import { isGuarded } from "../runtime/direct-coder.ts";
import type { ModelSettings } from "../runtime/model-files.ts";
import { startCoderThread, startTemplateProcess } from "./coder-doers.ts";
import { type CoderPool, createCoderPool } from "./coder-pool.ts";

export type ThreadCodersLimits = {
  readonly threads: number;
  /** Starting a thread or process, and reading a tokenizer. */
  readonly loadMsMax: number;
  readonly callMsMax: number;
  /** A template that has not ended by then never will. */
  readonly templateMsMax: number;
  /** Calls that may wait for a thread, and as many for the templates' process. */
  readonly waitingMax: number;
  /** Tokenizers that each thread keeps, the ones that were used last. */
  readonly tokenizersMax: number;
  readonly heapMibMax: number;
  readonly templateHeapMibMax: number;
};

const LIMITS: ThreadCodersLimits = {
  threads: 2,
  loadMsMax: 30_000,
  callMsMax: 15_000,
  templateMsMax: 2_000,
  waitingMax: 1_024,
  tokenizersMax: 8,
  heapMibMax: 1_024,
  templateHeapMibMax: 256,
};
/** Templates belong to no folder: they come with their call. */
const NO_FOLDER = "";

/** A model's folder as its files say, and its tokenizer behind the door of the threads. */
export type OpenedModel = { readonly settings: ModelSettings; readonly coder: TextCoder; readonly idMax: number };

export type ThreadCoders = {
  /** Fails with `invalid_request`, naming the file, if the folder cannot be used. The folder stays where it is while the model is used. */
  readonly open: (folder: string, signal?: AbortSignal) => Promise<OpenedModel>;
  /** Ends threads and process; calls that are under way fail with `unavailable`. */
  readonly close: () => Promise<void>;
};

/**
 * Tokenizers of all models in a few threads, and chat templates in a process of their own, so that neither reading a tokenizer, nor a long text, nor
 * a template that never ends holds up the caller's event loop. A call beyond its time ends its thread or process; the next one starts another.
 */
export function createThreadCoders(options: Partial<ThreadCodersLimits> = {}): ThreadCoders {
  const limits = { ...LIMITS, ...options };
  const texts = createCoderPool(startCoderThread(limits), { ...limits, lanes: limits.threads });
  const startTemplates = startTemplateProcess({ heapMibMax: limits.templateHeapMibMax });
  const templates = createCoderPool(startTemplates, { ...limits, lanes: 1, callMsMax: limits.templateMsMax });
  return {
    async open(folder, signal) {
      const { settings, specials, idMax } = expect(await texts.call(folder, { kind: "open" }, signal), "open");
      return { settings, idMax, coder: coderOf({ texts, templates }, { folder, settings, specials }) };
    },
    async close() {
      await Promise.all([texts.close(), templates.close()]);
    },
  };
}

type Pools = { readonly texts: CoderPool; readonly templates: CoderPool };
type Model = { readonly folder: string; readonly settings: ModelSettings; readonly specials: readonly string[] };

function coderOf({ texts, templates }: Pools, { folder, settings, specials }: Model): TextCoder {
  const { chatTemplate, specialTokens } = settings;
  const render = async (conversations: readonly (readonly ChatMessage[])[], isText: boolean, signal?: AbortSignal) => {
    const work = { kind: "render", settings: { chatTemplate, specialTokens }, specials, conversations, isGuarded: isText } as const;
    return expect(await templates.call(NO_FOLDER, work, signal), "render").chats;
  };
  return {
    encode: async (inputs, how, signal) =>
      unpackEncoded(expect(await texts.call(folder, { kind: "encode", inputs, how }, signal), "encode").packed),
    locate: async (inputs, how, signal) =>
      unpackLocated(expect(await texts.call(folder, { kind: "locate", inputs, how }, signal), "locate").packed),
    decode: async (tokens, how) => expect(await texts.call(folder, { kind: "decode", tokens, how }), "decode").texts,
    spell: async (tokens) => expect(await texts.call(folder, { kind: "spell", tokens }), "spell").texts,
    find: async (spellings) => expect(await texts.call(folder, { kind: "find", spellings }), "find").ids,
    render: async (messages) => (await render([messages], false)).map(({ text }) => text).join(""),
    async prompt(conversations, how = {}, signal) {
      const chats = await render(conversations, isGuarded(settings, how), signal);
      return unpackRendered(chats, expect(await texts.call(folder, { kind: "bare", chats }, signal), "bare").packed);
    },
  };
}

function expect<Kind extends CoderValue["kind"]>(value: CoderValue, kind: Kind): Extract<CoderValue, { kind: Kind }> {
  if (value.kind !== kind) throw new Error(`a tokenizer's thread answers ${kind} with ${kind}, not ${value.kind}`);
  return value as Extract<CoderValue, { kind: Kind }>; // the line above has compared the kinds
}
