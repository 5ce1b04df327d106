import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { bundleFunction } from "../../cdk/bundle.ts";
import { startDynamo, type TestDynamo } from "../harness/dynamo.ts";

let store: TestDynamo;
let folder: string;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-function-"));
});
afterEach(() => rm(folder, { recursive: true }));

test.each(["sealer", "webhooks"])(
  "the bundle of the %s exports a handler, as Lambda's runtime wants it, that does its rounds",
  async (name) => {
    bundleFunction(folder, name);
    vi.stubEnv("WEIR_DYNAMO_ENDPOINT", store.endpoint);
    vi.stubEnv("WEIR_PEPPERS", JSON.stringify({ "1": "a pepper of tests only" }));

    const { handler } = await import(pathToFileURL(join(folder, "index.js")).href);

    expect(await handler({}, { getRemainingTimeInMillis: () => 60_000 })).toEqual({ rounds: 1, hasMore: false });
    vi.unstubAllEnvs();
  },
);
