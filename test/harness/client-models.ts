import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { POOL } from "../../cdk/local/parts.ts";
import { createHttp } from "../../shared/clients/http.ts";
import { createModelsClient } from "../../shared/clients/models.ts";
import { publishFolder } from "../../shared/clients/publish.ts";
import type { TestPlatform } from "./platform.ts";

/** What the clients' journeys ask beside the models of the first run: a fixture for each task, whose answers by PyTorch are known. */
export const CLIENT_MODELS = {
  embed: "tiny-bert-embed",
  ner: "tiny-bert-ner",
  qa: "tiny-bert-qa",
  mlm: "tiny-roberta-mlm",
  nli: "tiny-roberta-nli",
  rtd: "tiny-electra-rtd",
  rerank: "tiny-bert-rerank",
  gpt2: "tiny-gpt2",
} as const;

/** The folder of all fixture models. */
export const FIXTURES = fileURLToPath(new URL("../fixtures/models", import.meta.url));

/** Publishes them to a running platform, as `weir models publish` does; resolves when all are ready. */
export async function publishClientModels({ url, operatorKey }: TestPlatform): Promise<void> {
  const models = createModelsClient(createHttp({ url, key: operatorKey }));
  const publish = ([model, fixture]: [string, string]) =>
    publishFolder(models, { folder: join(FIXTURES, fixture), model, pool: POOL, dtype: "fp32" }, () => {});
  await Promise.all(Object.entries(CLIENT_MODELS).map(publish));
}
