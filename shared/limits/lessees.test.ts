import { expect, test } from "vitest";
import { createFakeDynamo } from "../../test/harness/fake-dynamo/fake-dynamo.ts";
import { createRandom } from "../../test/harness/random.ts";
import type { WireItem } from "../dynamo/lean-client.ts";
import { lesseeNames, lesseesOf, lesseeUpdate, staleLessees } from "./lessees.ts";

const WINDOW_US = 10_000_000;
/** In the middle of a window. */
const START_US = 179_574_000 * WINDOW_US + WINDOW_US / 2;

/** An item, and who leases of it. */
function start() {
  const store = createFakeDynamo({ tablePrefix: "weir" });
  const update = (input: object) =>
    store.apply("UpdateItem", { TableName: "weir-limits", Key: { pk: { S: "t" } }, ...input }, { nowMs: 0, lagMs: 0 });
  const item = () => (store.items("limits")[0] ?? {}) as WireItem; // sets of texts
  return {
    item,
    /** Who has not looked knows of nobody. */
    lease(lessee: string, nowUs: number, hasLooked: boolean) {
      const { add, names, values } = lesseeUpdate(lessee, { nowUs, others: hasLooked ? lesseesOf(item(), nowUs) : 1 });
      update({
        UpdateExpression: add,
        ExpressionAttributeNames: names,
        ...(Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: values }),
      });
      const stale = staleLessees(item(), nowUs);
      if (stale.length === 0) return;
      const input = { UpdateExpression: "DELETE #window :stale", ExpressionAttributeNames: lesseeNames(nowUs) };
      update({ ...input, ExpressionAttributeValues: { ":stale": { SS: stale } } });
    },
  };
}

test.each([1, 8, 30, 100, 400, 2_000])(
  "%i processes are counted to a half, and in less than a KB, whether they have looked or not",
  (count) => {
    const random = createRandom(count);
    const names = Array.from({ length: count }, () => String(random.next()));
    const { item, lease } = start();
    for (const [place, name] of names.entries()) lease(name, START_US, place % 2 === 0);

    for (let window = 0; window < 4; window += 1) {
      const nowUs = START_US + window * WINDOW_US;
      for (const name of names) lease(name, nowUs, true);

      const counted = lesseesOf(item(), nowUs);
      expect(counted).toBeGreaterThanOrEqual(count <= 32 ? count : count / 1.5);
      expect(counted).toBeLessThanOrEqual(count <= 32 ? count : count * 1.5);
      expect(JSON.stringify(item()).length).toBeLessThan(1_024);
    }
  },
);

test("a crowd that has gone is forgotten after two windows", () => {
  const { item, lease } = start();
  for (let place = 0; place < 500; place += 1) lease(`gateway-${place}`, START_US, true);

  lease("last", START_US + WINDOW_US, true);
  expect(lesseesOf(item(), START_US + WINDOW_US)).toBeGreaterThan(300);
  for (const window of [2, 3]) lease("last", START_US + window * WINDOW_US, true);

  expect(lesseesOf(item(), START_US + 3 * WINDOW_US)).toBe(1);
});

test("names as a version before wrote them do not count, and are tidied away", () => {
  const { w } = { w: `w${Math.floor(START_US / WINDOW_US) % 3}` };
  const item: WireItem = { [w]: { SS: ["179574000:8d7a1e9c-5a90-4b63-a6cf-2f3a3f0b0c51"] } };

  expect(lesseesOf(item, START_US)).toBe(1);
  expect(staleLessees(item, START_US)).toHaveLength(1);
});
