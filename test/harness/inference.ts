import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256Hex } from "../../shared/base/hash.ts";
import { createHttpInferenceClient } from "../../shared/inference/client.http.ts";
import type { InferenceClient, InferenceRequest, TaskRequest } from "../../shared/inference/contract.ts";
import { loadModel } from "../../shared/inference/ort/model.ts";
import { scanFolder } from "../../shared/models/folder.disk.ts";
import {
  blobKey,
  contentDigestOf,
  type Dtype,
  Manifest,
  manifestKey,
  type VersionFacts,
  type VersionFile,
} from "../../shared/models/version.ts";
import type { TestS3 } from "./s3.ts";

export type TestInference = {
  readonly url: string;
  readonly client: InferenceClient;
  readonly cacheDir: string;
  /** The function's own process; its workers are its children. */
  readonly child: ChildProcess;
  /** What it has written to its log. */
  readonly logged: () => string;
  /** Drains and ends it; resolves with its exit code. */
  readonly stop: () => Promise<number | null>;
  readonly close: () => Promise<void>;
};

/** A version as intake leaves it in the bucket. */
export type StoredVersion = {
  readonly manifestDigest: string;
  readonly dtype: Dtype;
  readonly files: readonly VersionFile[];
  readonly facts: VersionFacts;
};

const MAIN = new URL("../../functions/inference/main.node.ts", import.meta.url);

/** The path of a folder of the repository. */
export const folderOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The inference function as a process of its own, with its workers, before a real S3 engine. */
export async function startInference(
  s3: TestS3,
  environment: Record<string, string> = {},
  main: string | URL = MAIN,
): Promise<TestInference> {
  const cacheDir = environment["WEIR_CACHE_DIR"] ?? (await mkdtemp(join(tmpdir(), "weir-inference-")));
  const child = fork(main, {
    execArgv: [],
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    env: {
      AWS_REGION: s3.settings.region,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      WEIR_S3_ENDPOINT: s3.settings.endpoint,
      WEIR_BUCKET: s3.settings.bucket,
      WEIR_CACHE_DIR: cacheDir,
      PORT: "0",
      ...environment,
    },
  });
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  // What it says over IPC is `{ready, port}`; if it ends instead, its log says why.
  const [{ port }] = (await Promise.race([once(child, "message"), once(child, "exit").then(() => Promise.reject(new Error(log)))])) as [
    { port: number },
  ];
  const url = `http://127.0.0.1:${port}`;
  const client = createHttpInferenceClient({ url });
  const stop = () => end(child, "SIGTERM");
  const close = async () => {
    await client.close();
    await end(child, "SIGTERM");
    await rm(cacheDir, { recursive: true, force: true });
  };
  return { url, client, cacheDir, child, logged: () => log, stop, close };
}

/** Puts a folder's files and manifest into the bucket, with the facts that intake would learn by loading it. */
export async function storeVersion(s3: TestS3, folder: string, dtype: Dtype): Promise<StoredVersion> {
  const files: VersionFile[] = [];
  for (const path of (await scanFolder(folder)).files.keys()) {
    const content = await readFile(join(folder, path));
    const sha256 = sha256Hex(content);
    await s3.put(blobKey(sha256), content);
    files.push({ path, bytes: content.length, sha256 });
  }
  const model = await loadModel(folder, dtype, { threads: 1, provider: "cpu" });
  const { facts } = model;
  await model.dispose();
  const manifest = Manifest.parse({ schema: 1, model: "model", number: 1, contentDigest: contentDigestOf(files), files, facts });
  const text = JSON.stringify(manifest);
  const manifestDigest = sha256Hex(text);
  await s3.put(manifestKey(manifestDigest), text);
  return { manifestDigest, dtype, files, facts };
}

/** A gateway's request for a stored version. */
export function requestFor({ manifestDigest, dtype }: StoredVersion, body: TaskRequest): InferenceRequest {
  return { requestId: "r1", tenant: "demo", model: "model", version: 1, manifestDigest, dtype, body };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
  return child.exitCode;
}
