import { Template } from "@huggingface/jinja";
import { Failure } from "../../base/failure.ts";
import type { ChatMessage } from "../generation.ts";
import type { ModelSettings } from "./model-files.ts";

/** A conversation as the model's template writes it, with the places of special tokens that a message spells and that shall stay text. */
export type RenderedChat = { readonly text: string; readonly guards: readonly number[] };

export type ChatTemplate = {
  /** Fails with `invalid_request`: without a template, where the template refuses the messages, or is none. */
  readonly render: (messages: readonly ChatMessage[]) => string;
  /** The same; special tokens of the template and those of the messages can be told apart. */
  readonly renderGuarded: (messages: readonly ChatMessage[]) => RenderedChat;
};

/** Noncharacters, which no text exchanges: one that occurs nowhere marks what a message spells. */
const GUARDS = Array.from({ length: 32 }, (_, index) => String.fromCharCode(0xfdd0 + index));
const REASON_CHARS_MAX = 500;

/**
 * A model's chat template, rendered as transformers does (`apply_chat_template` with `add_generation_prompt`): special tokens by name, no tools, no
 * documents. A template is a program that came with a model's files, so callers give it a thread of its own and a time limit.
 */
export function createChatTemplate(
  settings: Pick<ModelSettings, "chatTemplate" | "specialTokens">,
  specials: readonly string[],
): ChatTemplate {
  let template: Template | undefined; // parsed when it is needed first: most models never chat
  const render = (messages: readonly ChatMessage[]) => {
    template ??= parse(settings.chatTemplate);
    return run(template, { ...settings.specialTokens, messages, tools: null, documents: null, add_generation_prompt: true });
  };
  return {
    render,
    renderGuarded(messages) {
      const guard = GUARDS.find((each) => !`${settings.chatTemplate}${JSON.stringify(messages)}`.includes(each));
      if (guard === undefined) throw refusal("The messages hold every noncharacter from U+FDD0 to U+FDEF.");
      return withoutGuards(render(guardMessages(messages, specials, guard)), guard);
    },
  };
}

function parse(source: string | undefined): Template {
  if (source === undefined) throw refusal("The model has no chat template: it continues texts, and knows no conversations.");
  try {
    return new Template(source);
  } catch (cause) {
    throw refusal(`The model's chat template cannot be read: ${reasonOf(cause)}`, cause);
  }
}

/** The library throws what a template says with `raise_exception` as it throws its own errors. */
function run(template: Template, variables: Record<string, unknown>): string {
  try {
    return template.render(variables);
  } catch (cause) {
    throw refusal(`The model's chat template refuses these messages: ${reasonOf(cause)}`, cause);
  }
}

/** Puts the guard behind the first character of every special token that a message spells, so that it spells none while the template runs. */
function guardMessages(messages: readonly ChatMessage[], specials: readonly string[], guard: string): ChatMessage[] {
  if (specials.length === 0) return [...messages];
  const longestFirst = [...specials].sort((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp(longestFirst.join("|"), "gu");
  const guarded = (text: string) => text.replace(pattern, (special) => special.replace(/^./su, (first) => first + guard));
  return messages.map((message) => ({
    ...message,
    role: guarded(message.role),
    content: guarded(message.content),
    ...(message.name !== undefined && { name: guarded(message.name) }),
  }));
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function withoutGuards(marked: string, guard: string): RenderedChat {
  const parts = marked.split(guard);
  let at = 0;
  const guards = parts.slice(0, -1).map((part) => {
    at += part.length;
    return at;
  });
  return { text: parts.join(""), guards };
}

function reasonOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, REASON_CHARS_MAX);
}

const refusal = (message: string, cause?: unknown) => new Failure("invalid_request", message, { field: "messages", cause });
