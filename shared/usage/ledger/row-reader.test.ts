import { expect, test } from "vitest";
import { generateMonth } from "../../../test/bench/parts/generated-month.ts";
import { HOUR_MS } from "../period.ts";
import { createRowReader } from "./row-reader.dynamo.ts";

const FROM = Date.UTC(2026, 11, 1);
const RANGE = { fromMs: FROM, toMs: FROM + HOUR_MS };
const ROWS = 36_000;
const PAGE_ROWS_MAX = 500;
/** What waits together and the page that is being read. */
const ROWS_IN_MEMORY_MAX = 1_000 + PAGE_ROWS_MAX;

test("no more rows are asked for ahead than a few pages, however many their minutes hold", async () => {
  const { lean, seals } = generateMonth({ tenant: "acme", rows: ROWS, ...RANGE });
  let [asked, read, mostHeld] = [0, 0, 0];
  const counting: typeof lean = {
    ...lean,
    async call<T>(operation: Parameters<typeof lean.call>[0], input: object): Promise<T> {
      const answer = await lean.call<{ Items: unknown[] }>(operation, input, 0);
      expect(answer.Items.length).toBeLessThanOrEqual(PAGE_ROWS_MAX);
      asked += answer.Items.length;
      mostHeld = Math.max(mostHeld, asked - read);
      return answer as T; // as it came
    },
  };

  for await (const _ of createRowReader({ lean: counting, tablePrefix: "weir", seals }).rows("acme", RANGE)) read += 1;

  expect([read, asked]).toEqual([ROWS, ROWS]);
  expect(mostHeld).toBeLessThanOrEqual(ROWS_IN_MEMORY_MAX);
});
