import * as z from "zod";
import { type UsageQuery, UsageReport } from "../usage/report.ts";
import type { Http } from "./http.ts";

/** What a tenant does with its key: call models and read its own usage. */
export type TenantClient = ReturnType<typeof createTenantClient>;

export type Infer = {
  /** A model reference: `minilm`, `minilm@2`. */
  readonly model: string;
  readonly text: string;
  /** The second text of a pair. */
  readonly textPair?: string | undefined;
  /** What sticks to an arm; absent, the key. */
  readonly unit?: string | undefined;
};

/** What the model's own task made of one text. */
export type Inferred = {
  /** The version that served, `minilm@2`. */
  readonly model: string;
  readonly arm: string;
  readonly tier: string;
  /** Why a fallback served, such as `gpu unavailable`; absent if none did. */
  readonly degraded?: string;
  readonly requestId: string;
  readonly output:
    | { readonly task: "embed"; readonly vector: readonly number[] }
    | { readonly task: "classify"; readonly labels: readonly LabelScore[] };
};

const LabelScore = z.object({ label: z.string(), score: z.number() });
export type LabelScore = Readonly<z.infer<typeof LabelScore>>;

/** Feature extraction answers `[dimensions]` or `[1, dimensions]`, text classification `[1, labels]`. */
const HfAnswer = z.union([
  z
    .array(z.number())
    .min(1)
    .transform((vector) => ({ task: "embed" as const, vector })),
  z.tuple([z.array(z.number()).min(1)]).transform(([vector]) => ({ task: "embed" as const, vector })),
  z.tuple([z.array(LabelScore)]).transform(([labels]) => ({ task: "classify" as const, labels })),
]);

export function createTenantClient(http: Http) {
  return {
    usage: (query: Partial<UsageQuery>) => http.ask({ method: "GET", path: ["v1", "usage"], query, answer: UsageReport }),
    infer: (infer: Infer) => inferOne(http, infer),
  };
}

/** Through the Hugging Face route, because there the model says what the task is. */
async function inferOne(http: Http, { model, text, textPair, unit }: Infer): Promise<Inferred> {
  const { body, headers } = await http.exchange({
    method: "POST",
    path: ["hf", model],
    body: { inputs: textPair === undefined ? text : { text, text_pair: textPair } },
    headers: unit === undefined ? {} : { "weir-unit": unit },
    answer: HfAnswer,
  });
  const said = (name: string) => headers.get(name) ?? "";
  return {
    model: said("weir-model"),
    arm: said("weir-arm"),
    tier: said("weir-tier"),
    ...(headers.has("weir-degraded") ? { degraded: said("weir-degraded") } : {}),
    requestId: said("weir-request-id"),
    output: body,
  };
}
