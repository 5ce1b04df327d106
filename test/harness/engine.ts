import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";

/** What an engine was asked, as it saw it. */
export type EngineRequest = { readonly path: string; readonly headers: IncomingMessage["headers"]; readonly body: Record<string, unknown> };

/** A little OpenAI-compatible engine on loopback that answers as it is told. */
export type Engine = {
  /** Its base URL, as an operator would set it. */
  readonly url: string;
  readonly asked: EngineRequest[];
  /** How the next request is answered. */
  readonly next: (answer: (outgoing: ServerResponse, request: EngineRequest) => void) => void;
  readonly close: () => Promise<void>;
};

export async function startEngine(): Promise<Engine> {
  const asked: EngineRequest[] = [];
  const answers: ((outgoing: ServerResponse, request: EngineRequest) => void)[] = [];
  const server = createServer(async (incoming, outgoing) => {
    const body = JSON.parse(await text(incoming)) as Record<string, unknown>; // the gateway sends objects
    const request = { path: incoming.url ?? "", headers: incoming.headers, body };
    asked.push(request);
    (answers.shift() ?? ((answer) => answer.writeHead(500).end()))(outgoing, request);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/v1`,
    asked,
    next: (answer) => answers.push(answer),
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

export function answerJson(status: number, body: unknown, headers: Record<string, string> = {}) {
  return (outgoing: ServerResponse) => {
    outgoing.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
}

/** One piece of a chat's answer, as engines stream it. */
export function contentEvent(content: string): string {
  return `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] })}\n\n`;
}

export function usageEvent(promptTokens: number, completionTokens: number): string {
  const usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens };
  return `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [], usage })}\n\n`;
}

/** A piece with a choice's counts so far, as vLLM streams it where it is asked to; `null`: as OpenAI does where usage comes at the end. */
export function toldEvent(content: string, told: readonly [promptTokens: number, completionTokens: number] | null, index = 0): string {
  const usage = told && { prompt_tokens: told[0], completion_tokens: told[1], total_tokens: told[0] + told[1] };
  return `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index, delta: { content } }], usage })}\n\n`;
}

export const DONE = "data: [DONE]\n\n";

export function answerEvents(...events: string[]) {
  return (outgoing: ServerResponse) => {
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    outgoing.end(events.join(""));
  };
}
