import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
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

test.each(["sealer", "invoicing", "webhooks", "balances"])(
  "the bundle of the %s exports a handler, as Lambda's runtime wants it, that does its rounds",
  async (name) => {
    bundleFunction(folder, name);
    vi.stubEnv("WEIR_DYNAMO_ENDPOINT", store.endpoint);
    vi.stubEnv("AWS_REGION", store.dynamo.settings.region); // an engine may keep each Region's tables apart
    vi.stubEnv("WEIR_PEPPERS", JSON.stringify({ "1": "a pepper of tests only" }));

    const { handler } = await import(pathToFileURL(join(folder, "index.js")).href);

    expect(await handler({}, { getRemainingTimeInMillis: () => 60_000 })).toEqual({ rounds: 1, hasMore: false });
    vi.unstubAllEnvs();
  },
);

test("the bundle of invoicing has the typefaces that pdfkit asks for beside it", () => {
  bundleFunction(folder, "invoicing");
  const load = createRequire(join(folder, "index.js"));

  expect(load("#standard-fonts/Helvetica")).toMatchObject({ name: "Helvetica" });
  expect(load("#standard-fonts/HelveticaBold")).toMatchObject({ name: "Helvetica-Bold" });
});
