import { isMainThread, Worker } from "node:worker_threads";
import { type ChatTemplate, createChatTemplate } from "../runtime/chat-template.ts";
import { type CoderCall, type CoderWord, type CoderWork, thrownAs } from "../runtime/coder-wire.ts";

// The process of `createThreadCoders` for chat templates, which are programs that came with models: what one of them fills or holds is this process.
type RenderWork = Extract<CoderWork, { kind: "render" }>;

const TEMPLATES_MAX = 16;
const templates = new Map<string, ChatTemplate>();

const GUARD_MS = 500;

// A template may never end, and then its thread does not notice that whoever asked is gone: a second one does.
if (isMainThread) serve();
else guard(process.ppid);

function serve() {
  new Worker(new URL(import.meta.url)).unref();
  // The process that starts this one sends calls and nothing else.
  process.on("message", ({ id, work }: CoderCall) => {
    say({ id, isLoaded: true });
    say(answer(id, work));
  });
  process.on("disconnect", () => process.exit(0));
  // A terminal's Ctrl-C reaches the whole group; the parent drains first and then ends this process itself.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
}

function guard(parentPid: number) {
  setInterval(() => {
    if (process.ppid !== parentPid) process.kill(process.pid, "SIGKILL");
  }, GUARD_MS);
}

function answer(id: number, work: CoderWork): CoderWord {
  try {
    if (work.kind !== "render") throw new Error(`the process for templates is asked to ${work.kind}`);
    const template = templateOf(work);
    const render = work.isGuarded
      ? template.renderGuarded
      : (messages: RenderWork["conversations"][number]) => ({ text: template.render(messages), guards: [] });
    return { id, value: { kind: "render", chats: work.conversations.map(render) } };
  } catch (error) {
    return { id, ...thrownAs(error) };
  }
}

function templateOf({ settings, specials }: RenderWork): ChatTemplate {
  const key = JSON.stringify([settings, specials]);
  const known = templates.get(key) ?? createChatTemplate(settings, specials);
  if (templates.size >= TEMPLATES_MAX) templates.clear();
  templates.set(key, known);
  return known;
}

function say(word: CoderWord) {
  process.send?.(word);
}
