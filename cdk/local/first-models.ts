import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHttp } from "../../shared/clients/http.ts";
import { createModelsClient } from "../../shared/clients/models.ts";
import { type FolderToPublish, type PublishStep, publishFolder } from "../../shared/clients/publish.ts";
import type { Dtype } from "../../shared/models/version.ts";
import { EDGE_POOL, POOL } from "./parts.ts";
import { StartRefusal } from "./refusal.ts";

/** The real models of the first run. */
const MODELS = fileURLToPath(new URL("./models/", import.meta.url));
/** Version 2 of `minilm` reads half as much as version 1, so that a split of the two can be seen. */
const SHORT_TOKENS_MAX = 128;

export type FirstModels = {
  readonly url: string;
  /** An operator's. */
  readonly key: string;
  /** A folder of its own, for what it needs a while. */
  readonly workDir: string;
  readonly say: (line: string) => void;
};

/** Publishes the first models as a user would, through the admin API. What an earlier start has published is found there and not sent again. */
export async function publishFirstModels({ url, key, workDir, say }: FirstModels): Promise<void> {
  const models = createModelsClient(createHttp({ url, key }));
  const minilm = join(MODELS, "all-minilm-l6-v2");
  const short = await shortened(minilm, workDir);
  say("First start: publishing the models of this repository, as `weir models publish` does.");
  // What is small enough to stand in runs in the gateway too: a function that is away or busy does not fail these.
  const byEdge = (dtype: Dtype) => ({ dtype, fallbacks: [{ pool: EDGE_POOL, dtype }] });
  const publish = async (folder: string, what: Pick<FolderToPublish, "model" | "dtype" | "fallbacks">) => {
    const { version, bytesSent } = await publishFolder(models, { folder, pool: POOL, ...what }, progressOf(what.model, say));
    say(`  ${version.model}@${version.number} is ready (${mebibytes(bytesSent)} MiB sent)`);
  };
  // Of one model one after the other, so that the long version is number 1 and live.
  const minilms = publish(minilm, { model: "minilm", ...byEdge("q8") }).then(() => publish(short, { model: "minilm", ...byEdge("q8") }));
  const sentiment = publish(join(MODELS, "tiny-bert-sentiment"), { model: "sentiment", ...byEdge("fp32") });
  const chat = publish(join(MODELS, "smollm2-135m-instruct"), { model: "smollm2", dtype: "q4" });
  await Promise.all([chat, minilms, sentiment]).catch((cause) => {
    throw new StartRefusal(`the first models could not be published: ${cause.message} (The next start goes on here.)`, { cause });
  });
  await rm(workDir, { recursive: true });
}

/** A copy of a sentence encoder, at `copy`, that cuts its input earlier. */
async function shortened(folder: string, copy: string): Promise<string> {
  const name = "sentence_bert_config.json";
  await rm(copy, { recursive: true, force: true });
  await cp(folder, copy, { recursive: true, filter: (path) => basename(path) !== name });
  const settings = JSON.parse(await readFile(join(folder, name), "utf8"));
  await writeFile(join(copy, name), JSON.stringify({ ...settings, max_seq_length: SHORT_TOKENS_MAX }));
  return copy;
}

/** One line for each quarter that was sent: it reads well in a terminal and in a log. */
function progressOf(model: string, say: (line: string) => void): (step: PublishStep) => void {
  let told = "";
  return (step) => {
    const line = lineOf(model, step);
    if (line !== undefined && line !== told) say(`  ${line}`);
    told = line ?? told;
  };
}

function lineOf(model: string, step: PublishStep): string | undefined {
  if (step.kind === "hashing") return undefined;
  if (step.kind === "checking") return `${model}@${step.version.number} is being checked`;
  const quarters = Math.floor((4 * step.bytesDone) / step.bytesTotal);
  return `${model}: ${25 * quarters} % of ${mebibytes(step.bytesTotal)} MiB are there`;
}

const mebibytes = (bytes: number) => (bytes / 1024 ** 2).toFixed(1);
