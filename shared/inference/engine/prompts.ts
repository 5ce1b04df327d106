import { Failure } from "../../base/failure.ts";
import type { ChatMessage, Prompt } from "../generation.ts";
import type { TaskModel } from "../runtime/plan.ts";

/** Token ids of each prompt, in order. An empty text begins with the model's first token, since something has to. Refusals name the prompt. */
export async function encodePrompts(model: TaskModel, prompts: readonly Prompt[], signal?: AbortSignal): Promise<readonly Int32Array[]> {
  const { coder, settings } = model;
  const chats = prompts.flatMap((prompt): (readonly ChatMessage[])[] => (prompt.kind === "chat" ? [prompt.messages] : []));
  const others = prompts.flatMap((prompt) => (prompt.kind === "chat" ? [] : [prompt]));
  const rendered = chats.length === 0 ? [] : await coder.prompt(chats, {}, signal);
  const encoded = others.length === 0 ? [] : await coder.encode(others, { overlong: "refuse" }, signal);
  const [fromChats, fromOthers] = [rendered.values(), encoded.values()];
  return prompts.map((prompt, index) => {
    const ids = (prompt.kind === "chat" ? fromChats : fromOthers).next().value?.ids ?? new Int32Array();
    if (ids.length > 0) return ids;
    const { bosId } = settings.generation;
    if (bosId === undefined) throw new Failure("invalid_request", "An empty prompt has nothing to continue.", { field: `prompt.${index}` });
    return Int32Array.of(bosId);
  });
}
