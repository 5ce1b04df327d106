/** Text generation: what is asked of a decoder, and what it answers, piece by piece. */

export type ChatMessage = { readonly role: string; readonly content: string; readonly name?: string };

/** What a model continues: a text, token ids, or a conversation that its own chat template turns into a text. */
export type Prompt =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "tokens"; readonly tokenIds: readonly number[] }
  | { readonly kind: "chat"; readonly messages: readonly ChatMessage[] };

/** How the next token is drawn. Absent fields change nothing; `temperature` 0 is greedy. Rules: transformers' logits processors, OpenAI's penalties. */
export type Sampling = {
  /** 0 to 2; absent, what generation_config.json says, else 1. */
  readonly temperature?: number;
  /** 0 takes the likeliest only; absent, no limit. */
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  /** Above 1, tokens of prompt and answer become less likely (CTRL). */
  readonly repetitionPenalty?: number;
  /** -2 to 2, on tokens of the answer: once each, and per occurrence (OpenAI). */
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  /** Added to the logits of token ids, -100 to 100. */
  readonly logitBias?: Readonly<Record<string, number>>;
  /** The same seed gives the same text on float32 graphs, whatever else runs. */
  readonly seed?: number;
};

/** What the answer must be: any JSON object, or JSON that a schema accepts. */
export type ResponseFormat = { readonly kind: "json_object" } | { readonly kind: "json_schema"; readonly schema: unknown };

export type GenerateRequest = {
  readonly task: "generate";
  /** Each is answered `n` times; choice `p * n + i` is the i-th answer to prompt p. */
  readonly prompts: readonly Prompt[];
  readonly n: number;
  /** New tokens of one choice; absent, what the model's context has room for. */
  readonly maxTokens?: number;
  readonly sampling: Sampling;
  /** Texts that end a choice; they and what follows are not answered. */
  readonly stop: readonly string[];
  /** Alternatives per token, 0 for the chosen token alone; absent, no log-probabilities. */
  readonly topLogprobs?: number;
  /** Whether a choice begins with its prompt. */
  readonly echo?: boolean;
  readonly format?: ResponseFormat;
  /**
   * Milliseconds after which choices that still grow end with `length`, so that whoever waits for a whole answer gets what there is. If nothing has been said by
   * then, the call runs on to its own end, and fails.
   */
  readonly withinMs?: number;
};

/** A token with its natural log-probability under the model's own distribution (before temperature, penalties and masks). */
export type TokenLogprob = {
  readonly token: number;
  /** As far as it is whole characters. */
  readonly text: string;
  /** Bytes of the token in UTF-8; a character may be split over several. */
  readonly bytes: readonly number[];
  /** Null for an echoed prompt's first token, which nothing precedes. */
  readonly logprob: number | null;
  readonly top: readonly { readonly token: number; readonly text: string; readonly bytes: readonly number[]; readonly logprob: number }[];
};

/** `stop`: the model's own end, or a stop text; `stopText` says which. `length`: the token limit, the context's end or that of its time. */
export type Finish = { readonly reason: "stop" | "length"; readonly stopText?: string };

export type GenerateEvent =
  /** First, once the prompts are accepted: tokens of each. Nothing before it reaches a caller. */
  | { readonly kind: "begun"; readonly inputTokens: readonly number[] }
  /** Whole characters only, never a part of a stop text. `tokens` is how many tokens were drawn since the last event of this choice. */
  | {
      readonly kind: "text";
      readonly choice: number;
      readonly text: string;
      readonly tokens: number;
      readonly logprobs?: readonly TokenLogprob[];
    }
  | { readonly kind: "finished"; readonly choice: number; readonly finish: Finish }
  /** Last: tokens drawn for each choice, milliseconds in the queue, and of compute for this request. */
  | { readonly kind: "done"; readonly outputTokens: readonly number[]; readonly queueMs: number; readonly runMs: number };
