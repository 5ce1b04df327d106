import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { scanFolder } from "../../shared/models/folder.disk.ts";
import { graphPathIn } from "../../shared/models/folder.ts";
import type { Dtype, VersionFacts } from "../../shared/models/version.ts";

export async function inspectModel(folder: string, dtype: Dtype): Promise<VersionFacts> {
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
  const tokenizer = JSON.parse(await readFile(join(folder, "tokenizer.json"), "utf8"));
  const path = graphPathIn((await scanFolder(folder)).files, dtype) ?? "";
  const session = await ort.InferenceSession.create(join(folder, path), { intraOpNumThreads: 1 });
  const last = Math.max(...Object.values(tokenizer.model.vocab as Record<string, number>));
  const ids = (values: number[]) => new ort.Tensor("int64", BigInt64Array.from(values.map(BigInt)), [1, values.length]);
  const all = { input_ids: ids([1, last]), attention_mask: ids([1, 1]), token_type_ids: ids([0, 0]) };
  const out = await session.run(Object.fromEntries(Object.entries(all).filter(([name]) => session.inputNames.includes(name))));
  const tokensMax = config.max_position_embeddings;
  const logits = out["logits"];
  if (logits === undefined) return { task: "embed", family: config.model_type, tokensMax, dimensions: config.hidden_size, dtypes: [dtype] };
  const labels: string[] = Object.values(config.id2label);
  if (labels.length !== logits.dims.at(-1))
    throw new Error(`config.json names ${labels.length} labels, the graph gives ${logits.dims.at(-1)}`);
  return { task: "classify", family: config.model_type, tokensMax, labels, dtypes: [dtype] };
}
