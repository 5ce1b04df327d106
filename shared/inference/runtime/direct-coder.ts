import { setImmediate as nextTurn } from "node:timers/promises";
import { Failure } from "../../base/failure.ts";
import { createChatTemplate, type RenderedChat } from "./chat-template.ts";
import type { EncodeHow, Rendered, TextCoder } from "./coder.ts";
import type { ModelFiles, ModelSettings } from "./model-files.ts";
import { createEncoder, type Encoder } from "./tokenize.ts";

/** How long one call may hold the event loop before others have a turn, in milliseconds. A single text or template is not interrupted. */
const TURN_MS_MAX = 5;

/** `idMax` is the largest token id that it may answer with; `specials` is how special tokens are spelled. */
export type DirectCoder = {
  readonly coder: TextCoder;
  readonly idMax: number;
  readonly specials: readonly string[];
  /** Ids of conversations that were rendered elsewhere. */
  readonly encodeChats: (chats: readonly RenderedChat[]) => Promise<readonly Int32Array[]>;
};

/**
 * A model's tokenizer in this thread, for intake, tests and the thread that serves others. Where long texts or strange templates must block nobody,
 * `createThreadCoders` is the one to take.
 */
export function createDirectCoder(files: ModelFiles): DirectCoder {
  const encoder = createEncoder(files);
  const encodeChat = ({ text, guards }: RenderedChat) => encoder.encodeBare(text, { isText: false, places: guards });
  return {
    coder: coderOf(encoder, files),
    idMax: encoder.idMax,
    specials: encoder.specials,
    encodeChats: (chats) => inTurns(chats, { name: "messages", signal: undefined }, encodeChat),
  };
}

function coderOf(encoder: Encoder, { settings }: ModelFiles): TextCoder {
  const template = createChatTemplate(settings, encoder.specials);
  const promptFor = (how: Pick<EncodeHow, "specialText">): ((messages: Parameters<typeof template.render>[0]) => Rendered) => {
    return (messages) => {
      const { text, guards } = isGuarded(settings, how)
        ? template.renderGuarded(messages)
        : { text: template.render(messages), guards: [] };
      return { text, ids: encoder.encodeBare(text, { isText: false, places: guards }) };
    };
  };
  return {
    encode: (inputs, how, signal) => inTurns(inputs, { name: "input", signal }, (input) => encoder.encode(input, how)),
    locate: (inputs, how, signal) => inTurns(inputs, { name: "input", signal }, (input) => encoder.locate(input, how)),
    decode: async (tokens, how) => tokens.map((each) => encoder.decode(each, how)),
    spell: async (tokens) => tokens.map(encoder.spell),
    find: async (spellings) => spellings.map(encoder.find),
    render: async (messages) => template.render(messages),
    prompt: (conversations, how = {}, signal) => inTurns(conversations, { name: "messages", signal }, promptFor(how)),
  };
}

/** Whether special tokens that messages spell stay text. */
export function isGuarded(
  { splitsSpecialTokens }: Pick<ModelSettings, "splitsSpecialTokens">,
  how: Pick<EncodeHow, "specialText">,
): boolean {
  return how.specialText === undefined ? splitsSpecialTokens : how.specialText === "text";
}

type Turns = { readonly name: string; readonly signal: AbortSignal | undefined };

/** Works on one item after the other, in turns with whatever else the thread does. Refusals name the item, such as `input.3`. */
async function inTurns<Item, Result>(items: readonly Item[], { name, signal }: Turns, work: (item: Item) => Result): Promise<Result[]> {
  const results: Result[] = [];
  let turnEndsAtMs = performance.now() + TURN_MS_MAX;
  for (const [index, item] of items.entries()) {
    if (performance.now() > turnEndsAtMs) {
      await nextTurn();
      turnEndsAtMs = performance.now() + TURN_MS_MAX;
    }
    if (signal?.aborted) throw new Failure("cancelled", "The caller left.");
    results.push(withField(`${name}.${index}`, () => work(item)));
  }
  return results;
}

function withField<T>(field: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Failure ? new Failure(error.code, error.message, { field: error.field ?? field, cause: error }) : error;
  }
}
