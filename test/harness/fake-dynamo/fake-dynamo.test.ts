import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../shared/base/clock.ts";
import { createLeanDynamo, DynamoRefusal, type LeanDynamo, type Operation } from "../../../shared/dynamo/lean-client.ts";
import { startDynalite, type TestDynamo } from "../dynamo.ts";
import { createRandom, type Random } from "../random.ts";
import { createFakeDynamo, type FakeDynamo } from "./fake-dynamo.ts";

const NOW = { nowMs: 1_000, lagMs: 0 };
const ROUNDS = 600;
const SEED = 20_261_126;

let real: TestDynamo;
let lean: LeanDynamo;
beforeAll(async () => {
  real = await startDynalite();
  lean = createLeanDynamo(real.dynamo.settings, systemClock);
});
afterAll(async () => {
  await lean.close();
  await real.close();
});

type Call = readonly [Operation, Record<string, unknown>];

test("random calls are answered as a real engine answers them", async () => {
  const random = createRandom(SEED);
  const fake = createFakeDynamo({ tablePrefix: "weir" });
  for (let round = 0; round < ROUNDS; round += 1) {
    const call = randomCall(random);

    const [ours, theirs] = [await answerOf(() => fake.apply(...call, NOW)), await answerOf(() => lean.call(...call, 5_000))];

    expect(ours, `seed ${SEED}, round ${round}: ${JSON.stringify(call)}`).toEqual(theirs);
  }
});

/** What came back, or the name of what was refused: messages are each engine's own. */
async function answerOf(call: () => object | Promise<object>): Promise<unknown> {
  try {
    return sorted(await call());
  } catch (cause) {
    if (cause instanceof DynamoRefusal) return cause.name;
    throw cause;
  }
}

/** Sets have no order. */
function sorted(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(sorted);
  if (typeof answer !== "object" || answer === null) return answer;
  const entries = Object.entries(answer).filter(([name]) => name !== "ScannedCount");
  return Object.fromEntries(entries.map(([name, value]) => [name, name === "SS" ? [...(value as string[])].sort() : sorted(value)])); // SS holds texts
}

const CONDITIONS = [
  "attribute_not_exists(pk)",
  "attribute_exists(n) AND n >= :n",
  "#st = :s AND n < :n",
  "attribute_not_exists(n) OR n <= :n",
  "NOT (n = :n) AND begins_with(sk, :s)",
  "n BETWEEN :n AND :m",
  "n IN (:n, :m)",
  "m.a > :n",
  "size(ns) >= :n",
  "contains(ns, :s)",
];
const UPDATES = [
  "SET n = :n",
  "SET n = n + :n, #st = :s",
  "SET n = if_not_exists(n, :m) - :n",
  "SET m.a = :n REMOVE #st",
  "REMOVE n ADD ns :ss",
  "DELETE ns :ss SET #st = :s",
  "SET m = :map, n = :m",
  "REMOVE m.a",
  "ADD n :n",
  "SET l = list_append(if_not_exists(l, :list), :list)",
];
const KEY_CONDITIONS = ["pk = :pk", "pk = :pk AND sk > :s", "pk = :pk AND begins_with(sk, :s)", "pk = :pk AND sk BETWEEN :s AND :t"];

function randomCall(random: Random): Call {
  const Key = { pk: { S: `p${random.below(2)}` }, sk: { S: random.pick(["a", "ab", "b", "c", "d"]) } };
  const TableName = "weir-ledger";
  const kind = random.below(6);
  if (kind === 0)
    return ["PutItem", { TableName, Item: { ...Key, n: { N: `${random.below(9)}` } }, ...expressions(random, { condition: true }) }];
  if (kind === 1) return ["DeleteItem", { TableName, Key, ...expressions(random, { condition: true }) }];
  if (kind === 2) return ["GetItem", { TableName, Key, ConsistentRead: true }];
  if (kind === 3) return ["Query", query(random, TableName)];
  return [
    "UpdateItem",
    { TableName, Key, ReturnValues: "ALL_NEW", ...expressions(random, { condition: random.below(2) === 0, update: true }) },
  ];
}

function query(random: Random, TableName: string) {
  return {
    TableName,
    ConsistentRead: true,
    ScanIndexForward: random.below(2) === 0,
    ...(random.below(2) === 0 ? { Limit: 1 + random.below(4) } : {}),
    ...explained({ KeyConditionExpression: random.pick(KEY_CONDITIONS) }, random),
  };
}

function expressions(random: Random, { condition, update = false }: { condition: boolean; update?: boolean }) {
  const ConditionExpression = condition ? { ConditionExpression: random.pick(CONDITIONS) } : {};
  return explained({ ...ConditionExpression, ...(update ? { UpdateExpression: random.pick(UPDATES) } : {}) }, random);
}

/** Names and values for what the expressions use, and once in a while for more, which is refused. */
function explained(texts: Record<string, string>, random: Random) {
  const values = {
    ":n": { N: `${random.below(9)}` },
    ":m": { N: `${random.below(9)}` },
    ":s": { S: random.pick(["a", "ab", "P"]) },
    ":t": { S: "c" },
    ":pk": { S: `p${random.below(2)}` },
    ":ss": { SS: random.pick([["a"], ["a", "ab"], ["P", "x"]]) },
    ":map": { M: { a: { N: `${random.below(9)}` } } },
    ":list": { L: [{ S: "x" }] },
  };
  const used = Object.values(texts).join(" ");
  const isUsed = (name: string) => new RegExp(`${name}\\b`).test(used) || random.below(200) === 0;
  const kept = Object.fromEntries(Object.entries(values).filter(([name]) => isUsed(name)));
  return {
    ...texts,
    ...(Object.keys(kept).length > 0 && used !== "" ? { ExpressionAttributeValues: kept } : {}),
    ...(used.includes("#st") ? { ExpressionAttributeNames: { "#st": "st" } } : {}),
  };
}

const KEY = { pk: { S: "m#1#0" }, sk: { S: "s" } };
const put = (fake: FakeDynamo, more: object = {}) => fake.apply("PutItem", { TableName: "weir-ledger", Item: KEY, ...more }, NOW);

test("what the fake does not know is an error, never a guess", () => {
  const fake = createFakeDynamo({ tablePrefix: "weir" });

  expect(() => fake.apply("TransactWriteItems", {}, NOW)).toThrow("does not know TransactWriteItems");
  expect(() => put(fake, { ReturnConsumedCapacity: "TOTAL" })).toThrow("does not know PutItem with ReturnConsumedCapacity");
  expect(() => put(fake, { ConditionExpression: "attribute_type(pk, :t)", ExpressionAttributeValues: { ":t": { S: "S" } } })).toThrow();
  expect(() => fake.apply("GetItem", { TableName: "weir-other", Key: KEY }, NOW)).toThrow("no table weir-other");
  expect(fake.items("ledger")).toEqual([]);
});

test("a guard has a name, and is not asked when it is ignored", () => {
  const once = { ConditionExpression: "attribute_not_exists(pk)" };
  const fake = createFakeDynamo({ tablePrefix: "weir" });
  put(fake, once);

  expect(() => put(fake, once)).toThrow("conditional request failed");
  const [guard = ""] = [...fake.guards];
  const without = createFakeDynamo({ tablePrefix: "weir", ignored: new Set([guard]) });
  put(without, once);

  expect(guard).toBe("ledger: put m IF attribute_not_exists(pk)");
  expect(() => put(without, once)).not.toThrow();
});

test("a read that asks for no consistent view may see what was", () => {
  const fake = createFakeDynamo({ tablePrefix: "weir" });
  fake.apply("PutItem", { TableName: "weir-ledger", Item: KEY }, { nowMs: 1_000, lagMs: 0 });
  const read = (ConsistentRead: boolean) =>
    fake.apply("GetItem", { TableName: "weir-ledger", Key: KEY, ConsistentRead }, { nowMs: 1_100, lagMs: 200 });

  expect([read(true), read(false)]).toEqual([{ Item: KEY }, {}]);
});
