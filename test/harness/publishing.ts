import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Deps } from "../../edge/deps.ts";
import { type CheckQueue, createCheckQueue } from "../../functions/intake/check-queue.ts";
import { checkVersion } from "../../functions/intake/check-version.ts";
import { inspectApart } from "../../functions/intake/inspect-apart.ts";
import { createIntakeServer } from "../../functions/intake/server.ts";
import { tidy } from "../../functions/intake/tidy.ts";
import { sha256Hex } from "../../shared/base/hash.ts";
import { createHttp } from "../../shared/clients/http.ts";
import { createModelsClient, type ModelsClient } from "../../shared/clients/models.ts";
import { scanFolder } from "../../shared/models/folder.disk.ts";
import type { Upload } from "../../shared/models/publication.ts";
import { incomingKey, type VersionFile } from "../../shared/models/version.ts";
import { portOf } from "./dynamo.ts";
import { startGateway, type TestAnswer } from "./gateway.ts";
import { startS3, type TestS3 } from "./s3.ts";

export type TestPublishing = {
  readonly url: string;
  readonly operatorKey: string;
  readonly models: ModelsClient;
  readonly s3: TestS3;
  readonly control: Deps["control"];
  /** Asks the gateway as the operator, to see the status too. */
  readonly fetch: (path: string, body?: unknown) => Promise<TestAnswer>;
  /** What intake does with a job, and what it does at its start and every hour. */
  readonly check: (model: string, number: number) => ReturnType<typeof checkVersion>;
  readonly tidy: () => ReturnType<typeof tidy>;
  readonly stopIntake: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const LIMITS = { timeoutMs: 6_000, memoryMib: 1_024 };
/** The one engine that versions may name although it is not public, and that has a key. */
const ENGINE_ORIGIN = "http://127.0.0.1:8000";
const POOLS = [{ name: "cpu", tier: "cpu", kind: "http", url: "http://127.0.0.1:9" }];

/** Everything that publishing needs: the gateway, real stores, and intake behind its HTTP. */
export async function startPublishing(): Promise<TestPublishing> {
  const s3 = await startS3();
  const workFolder = await mkdtemp(join(tmpdir(), "weir-test-"));
  let queue: CheckQueue | undefined;
  const intake = createIntakeServer({ add: (job) => queue?.add(job) }).listen(0, "127.0.0.1");
  await once(intake, "listening");
  const gateway = await startGateway({
    environment: {
      WEIR_S3_ENDPOINT: s3.settings.endpoint ?? "",
      WEIR_BUCKET: s3.settings.bucket,
      WEIR_POOLS: JSON.stringify(POOLS),
      WEIR_INTAKE: JSON.stringify({ kind: "http", url: `http://127.0.0.1:${portOf(intake.address())}` }),
      WEIR_ENGINE_ORIGINS: JSON.stringify([ENGINE_ORIGIN]),
      WEIR_UPSTREAM_A: JSON.stringify({ value: "secret", origins: [ENGINE_ORIGIN] }),
    },
  });
  const url = await gateway.listen();
  const { control, clock } = gateway.deps;
  const deps = { ...control, clock, blobs: s3.blobs, inspect: inspectApart.bind(undefined, LIMITS), workFolder, folderBytesMax: 256e6 };
  const check = checkVersion.bind(undefined, deps);
  queue = createCheckQueue({ check, atOnceMax: 2, waitingMax: 20, retryWaitsMs: [], log: () => {} });
  const stopIntake = async () => {
    await queue?.stop();
    intake.close().closeAllConnections();
  };
  return {
    url,
    operatorKey: gateway.operatorKey,
    models: createModelsClient(createHttp({ url, key: gateway.operatorKey })),
    s3,
    control,
    fetch: (path, body) => gateway.ask(body === undefined ? "GET" : "POST", path, { body }),
    check: (model, number) => check({ model, number }, new AbortController().signal),
    tidy: () => tidy(deps),
    stopIntake,
    close: async () => {
      await stopIntake();
      await gateway.close();
      await Promise.all([s3.close(), rm(workFolder, { recursive: true })]);
    },
  };
}

/** What a client that checks nothing itself would offer of a folder, with its bytes put where publishers put them. */
export async function offerFolder(s3: TestS3, root: string): Promise<Upload> {
  const { files, readAt } = await scanFolder(root);
  const offered: VersionFile[] = [];
  for (const [path, bytes] of files) {
    const content = await readAt(path, 0, bytes);
    const sha256 = sha256Hex(content);
    if (bytes > 0) await s3.put(incomingKey(sha256, 1), content);
    offered.push({ path, bytes, sha256 });
  }
  return { files: offered, placement: { pool: "cpu", dtype: "fp32" } };
}
