import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { modelRoutes } from "../../edge/admin/models.ts";
import type { PublishDeps } from "../../edge/admin/publish.ts";
import type { EdgeEnv } from "../../edge/env.ts";
import { answerFailure } from "../../edge/middleware/answer-failure.ts";
import { createCheckQueue } from "../../functions/intake/check-queue.ts";
import { type CheckDeps, checkVersion } from "../../functions/intake/check-version.ts";
import { runGolden } from "../../functions/intake/run-golden.ts";
import { createIntakeServer } from "../../functions/intake/server.ts";
import { tidy } from "../../functions/intake/tidy.ts";
import { systemClock } from "../../shared/base/clock.ts";
import { createHttp } from "../../shared/clients/http.ts";
import { createModelsClient, type ModelsClient } from "../../shared/clients/models.ts";
import { createHttpIntakeClient } from "../../shared/models/intake-client.http.ts";
import { createModelStore } from "../../shared/models/model-store.dynamo.ts";
import { createVersionStore } from "../../shared/models/version-store.dynamo.ts";
import { createSplitStore } from "../../shared/routing/split-store.dynamo.ts";
import { startDynamo } from "./dynamo.ts";
import { startS3, type TestS3 } from "./s3.ts";

export type TestPublishing = {
  readonly models: ModelsClient;
  readonly s3: TestS3;
  readonly deps: PublishDeps & CheckDeps;
  /** Asks the gateway directly, to see the status too. */
  readonly fetch: (path: string, body?: unknown) => Promise<{ status: number; json: unknown }>;
  /** What intake does at its start and every hour. */
  readonly tidy: () => ReturnType<typeof tidy>;
  readonly stopIntake: () => Promise<void>;
  readonly close: () => Promise<void>;
};

const LIMITS = { timeoutMs: 8_000, memoryMib: 1_024 };

/** Everything that publishing needs, with real stores and a real intake behind HTTP, and an operator before the door. */
export async function startPublishing(): Promise<TestPublishing> {
  const [dynamo, s3] = [await startDynamo(), await startS3()];
  const workFolder = await mkdtemp(join(tmpdir(), "weir-test-"));
  const models = createModelStore(dynamo.dynamo);
  const [versions, splits] = [createVersionStore(dynamo.dynamo), createSplitStore(dynamo.dynamo)];
  const check = { clock: systemClock, blobs: s3.blobs, models, versions, splits, workFolder, folderBytesMax: 256 * 1024 ** 2 };
  const checkDeps = { ...check, runGolden: runGolden.bind(undefined, LIMITS) };
  const queue = createCheckQueue({
    check: (job, signal) => checkVersion(checkDeps, job, signal),
    atOnceMax: 2,
    waitingMax: 20,
    retryWaitsMs: [],
    log: () => {},
  });
  const intake = await listen(createIntakeServer(queue));
  const deps = { ...checkDeps, ...gatewayParts({ models, versions, splits }), intake: createHttpIntakeClient(intake.url) };
  // Plain HTTP/1.1 unless asked otherwise.
  const gateway = await listen(createAdaptorServer({ fetch: gatewayApp(deps).fetch }) as Server);
  const stopIntake = async () => {
    await queue.stop();
    await intake.close();
  };
  return {
    models: createModelsClient(createHttp({ url: gateway.url, key: "operator" })),
    s3,
    deps,
    fetch: (path, body) => ask(gateway.url + path, body),
    tidy: () => tidy(check),
    stopIntake,
    close: async () => {
      await stopIntake();
      await gateway.close();
      await Promise.all([dynamo.close(), s3.close(), rm(workFolder, { recursive: true })]);
    },
  };
}

function gatewayParts(stores: Pick<PublishDeps["control"], "models" | "versions" | "splits">) {
  const refuse = async () => {
    throw new Error("publishing runs no inference");
  };
  return {
    // Publishing touches neither tenants nor keys.
    control: { ...stores } as PublishDeps["control"],
    pools: new Map([["cpu", { name: "cpu", tier: "cpu" as const, client: { run: refuse } }]]),
    config: { upstreamCredentials: new Map([["WEIR_UPSTREAM_A", "secret"]]) },
  };
}

function gatewayApp(deps: PublishDeps) {
  return new Hono<EdgeEnv>()
    .onError(answerFailure({ log: () => {} }))
    .use(async (c, next) => {
      c.set("requestId", "r1");
      c.set("principal", { keyId: "k1", tenant: "operators", scopes: new Set(["operate"]), rate: { requestsPerSecond: 1, burst: 1 } });
      await next();
    })
    .route("/admin/models", modelRoutes(deps));
}

async function listen(server: Server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((done) => server.close(() => done()));
  };
  return { url: `http://127.0.0.1:${port}`, close };
}

async function ask(url: string, body: unknown) {
  const answer = await fetch(url, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) });
  return { status: answer.status, json: (await answer.json()) as unknown };
}
