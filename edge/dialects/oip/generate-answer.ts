import type { Finish, TokenLogprob } from "../../../shared/inference/generation.ts";
import type { FinishReason, GenerateAnswer, GeneratedToken, GenerateStreamEvent } from "../../../shared/oip/answers.ts";
import type { StreamRenderer } from "../../serve/generate.ts";
import type { Generation } from "../../serve/generation.ts";
import { renderOipFailure } from "./failure.ts";

export type GenerateHead = { readonly id: string; readonly model_name: string; readonly model_version: string };

export function renderGenerate(head: GenerateHead, { choices }: Generation, hasDetails: boolean): GenerateAnswer {
  const [choice] = choices;
  if (choice === undefined) throw new Error("a generation without a choice");
  const { text, finish, logprobs } = choice;
  const details = { finish_reason: finishReasonOf(finish), logprobs: logprobs.map(tokenOf) };
  return { ...head, text_output: text, ...(hasDetails ? { details } : {}) };
}

export function generateStream(head: GenerateHead, requestId: string): StreamRenderer {
  const event = (said: Omit<GenerateStreamEvent, keyof GenerateHead>) => dataEvent({ ...head, ...said } satisfies GenerateStreamEvent);
  return {
    begun: () => "",
    text({ text, logprobs = [] }) {
      const tokens = logprobs.map(tokenOf);
      const token = tokens.at(-1);
      if (token === undefined) return text === "" ? "" : event({ text_output: text });
      // A stop text is held back until it is none, so one event may bring several tokens; the protocol has a place for one.
      return event({ text_output: text, details: { token, logprobs: tokens } });
    },
    end({ finishes: [finish] }) {
      if (finish === undefined) throw new Error("a generation that is done without an end");
      return event({ text_output: "", details: { finish_reason: finishReasonOf(finish) } });
    },
    failed: (failure) => dataEvent(renderOipFailure(failure, requestId)),
  };
}

function dataEvent(json: object): string {
  return `data: ${JSON.stringify(json)}\n\n`;
}

function finishReasonOf({ reason, stopText }: Finish): FinishReason {
  if (reason === "length") return "length";
  return stopText === undefined ? "eos_token" : "stop_sequence";
}

function tokenOf({ token, text, logprob }: TokenLogprob): GeneratedToken {
  return { id: token, text, logprob };
}
