import { expect, test } from "vitest";
import { runHistory } from "./history.ts";
import { simulate } from "./simulate.ts";

const FIRST = 1;
const COUNT = 24;

test("no history breaks a promise, whatever dies and whatever the store loses", async () => {
  const { violations, counts } = await simulate({ first: FIRST, count: COUNT });

  console.log(`seeds ${FIRST} to ${FIRST + COUNT - 1}: ${JSON.stringify(counts)}`);
  expect(violations).toEqual([]);
  expect(counts["kills"]).toBeGreaterThan(COUNT / 4);
  expect(counts["lostAnswers"]).toBeGreaterThan(COUNT);
}, 240_000);

test("a history is the same each time it is run", async () => {
  const [once, again] = [await runHistory("7"), await runHistory("7")];

  expect(again.counts).toEqual(once.counts);
  expect(again.attempts).toEqual(once.attempts);
});
