import { fileURLToPath } from "node:url";
import { createDirectCoder } from "../../shared/inference/runtime/direct-coder.ts";
import { readModelFiles } from "../../shared/inference/runtime/model-files.ts";
import type { TaskModel } from "../../shared/inference/runtime/plan.ts";
import type { Session, Tensor, TensorShape } from "../../shared/inference/runtime/session.ts";
import type { VersionFacts } from "../../shared/models/version.ts";

const MODELS = fileURLToPath(new URL("../fixtures/models/", import.meta.url));

/** A fixture's own files and tokenizer, without its graph. */
export async function readTaskModel(name: string, facts: Pick<VersionFacts, "head"> & Partial<VersionFacts>): Promise<TaskModel> {
  const files = await readModelFiles(`${MODELS}${name}`);
  const { coder } = createDirectCoder(files);
  const { family, tokensMax } = files.settings;
  return { settings: files.settings, coder, facts: { family, tokensMax, dtypes: ["fp32"], ...facts } };
}

export type ToyGraph = {
  readonly inputs?: readonly TensorShape[];
  readonly outputs: readonly TensorShape[];
  readonly compute: (feeds: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>;
};

const int64 = (name: string): TensorShape => ({ name, type: "int64", dims: [undefined, undefined] });

/** A session whose graph is a function, and what it was fed. */
export function createToySession({ inputs = [int64("input_ids"), int64("attention_mask")], outputs, compute }: ToyGraph) {
  const fed: Readonly<Record<string, Tensor>>[] = [];
  const session: Session = {
    inputs,
    outputs,
    run: async (feeds, fetches) => {
      fed.push(feeds);
      const computed = Object.entries(compute(feeds));
      return Object.fromEntries(computed.filter(([name]) => name in fetches));
    },
    dispose: async () => {},
  };
  return { session, fed };
}
