import { expect, test } from "vitest";
import { stopClock } from "../../test/harness/clock.ts";
import { createKeyUses, type KeyUse, USE_LAG_MS } from "./key-uses.ts";

function noting(put: (use: KeyUse) => Promise<void> = async () => undefined) {
  const clock = stopClock();
  const [puts, logged]: [KeyUse[], string[]] = [[], []];
  const store = {
    put: (use: KeyUse) => {
      puts.push(use);
      return put(use);
    },
  };
  return { clock, puts, logged, note: createKeyUses({ store, clock, log: (_, message) => logged.push(message) }) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a thousand requests of one key are one write in a quarter of an hour", async () => {
  const { note, puts, clock } = noting();

  for (let turn = 0; turn < 1_000; turn += 1) note({ tenant: "acme", keyId: "k" });
  await settled();
  clock.advance(USE_LAG_MS - 1);
  note({ tenant: "acme", keyId: "k" });
  expect(puts).toHaveLength(1);
  clock.advance(1);
  note({ tenant: "acme", keyId: "k" });

  expect(puts.map(({ keyId }) => keyId)).toEqual(["k", "k"]);
});

test("a store that does not answer is not asked by more than a few at once, and what found no room is noted later", async () => {
  const answers: (() => void)[] = [];
  const { note, puts } = noting(() => new Promise((resolve) => answers.push(() => resolve(undefined))));

  for (let key = 0; key < 100; key += 1) note({ tenant: "acme", keyId: `k${key}` });
  expect(puts).toHaveLength(4);
  for (const answer of answers) answer();
  await settled();
  note({ tenant: "acme", keyId: "k99" });

  expect(puts.at(-1)).toMatchObject({ keyId: "k99" });
});

test("a write that fails is said once and asks nothing of its request", async () => {
  const { note, logged } = noting(async () => {
    throw new Error("gone");
  });

  note({ tenant: "acme", keyId: "k" });
  await settled();

  expect(logged).toEqual(["a key's last use was not noted"]);
});
