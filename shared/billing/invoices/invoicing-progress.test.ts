import { afterAll, beforeAll, expect, test } from "vitest";
import { startDynamo, type TestDynamo } from "../../../test/harness/dynamo.ts";
import { createInvoicingProgressStore } from "./invoicing-progress-store.dynamo.ts";

let store: TestDynamo;
beforeAll(async () => {
  store = await startDynamo();
});
afterAll(() => store.close());

test("the place where a round ended is kept, and there is none at first", async () => {
  const progress = createInvoicingProgressStore(store.dynamo);
  const place = { doneThrough: "2026-10", at: { month: "2026-11", cursor: "x", isDone: false } };

  expect(await progress.read()).toBeUndefined();
  await progress.write(place);

  expect(await progress.read()).toEqual(place);
});
