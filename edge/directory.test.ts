import { afterAll, beforeAll, expect, test } from "vitest";
import { type Key, makeKeyText, newestPepper, parseKeyText, peppersOf, secretHmacOf } from "../shared/keys/key.ts";
import { policiesOf } from "../shared/limits/policy.ts";
import { type Serving, startServing } from "../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());

async function find(text: string, address?: string) {
  const parsed = parseKeyText(text);
  if (parsed === undefined) throw new Error("not a key");
  return weir.deps.directory.find(parsed, () => address);
}

test("a key speaks for its tenant, with its scopes and what limits it", async () => {
  const key = await weir.makeKey("acme", "infer", "usage");

  expect(await find(key)).toEqual({
    keyId: key.split("_")[3],
    tenant: "acme",
    scopes: new Set(["infer", "usage"]),
    policies: policiesOf({
      tenant: { id: "acme", revision: 1, rate: { requestsPerSecond: 100, burst: 200 } },
      key: { id: key.split("_")[3] ?? "", revision: 1 },
    }),
  });
});

test("a key of another installation is nobody's, and is not looked up", async () => {
  const parsed = parseKeyText(weir.key);
  if (parsed === undefined) throw new Error("not a key");
  const reads = weir.store.callsOf("Query");

  expect(await weir.deps.directory.find({ ...parsed, cell: "c2" }, () => undefined)).toBeUndefined();
  expect(await weir.deps.directory.find({ ...parsed, env: "prod" }, () => undefined)).toBeUndefined();

  expect(weir.store.callsOf("Query")).toBe(reads);
});

test("a revoked key may serve for a while, and is refused after 30 seconds at the latest", async () => {
  const key = await weir.makeKey("acme", "infer");
  await find(key);
  await weir.revoke(key);

  expect(await find(key)).toBeDefined(); // known for less than 5 seconds
  weir.clock.advance(30_000);

  expect(await find(key)).toBeUndefined();
  weir.clock.advance(-30_000);
});

test("while the store is away known keys still serve, up to their hard age", async () => {
  const key = await weir.makeKey("acme", "infer");
  await find(key);
  weir.store.turn("closed");

  weir.clock.advance(29_999);
  expect(await find(key)).toBeDefined();
  weir.clock.advance(1);
  await expect(find(key)).rejects.toMatchObject({ code: "unavailable" });

  weir.store.turn("open");
  weir.clock.advance(-30_000);
});

test("an unknown key is remembered as such, so that it costs one look", async () => {
  const revoked = await weir.makeKey("acme", "infer");
  await weir.revoke(revoked);
  await find(revoked);
  const reads = weir.store.callsOf("Query");

  expect(await find(revoked)).toBeUndefined();
  expect(weir.store.callsOf("Query")).toBe(reads);
});

const CHANGE = { by: "test", why: "", atMs: 0 };
const pepper = newestPepper(peppersOf({ 1: "a pepper for tests only" }));

/** Changes a key straight in the store, as another gateway would. */
async function change(text: string, body: Partial<Key>) {
  const { keys } = weir.deps.control;
  const before = await keys.current(text.split("_")[3] ?? "");
  if (before === undefined) throw new Error("no such key");
  await keys.append(before.body.id, before.revision, { body: { ...before.body, ...body }, change: CHANGE });
}

/** A secret that replaces the key's own, and the text with it. */
function nextSecretOf(text: string): { stored: Pick<Key, "secretHmac" | "pepperVersion">; text: string } {
  const [, env = "", cell = "", id = ""] = text.split("_");
  const next = makeKeyText({ env, cell }, weir.deps.ids, id);
  return { stored: { secretHmac: secretHmacOf(next.secret, pepper.pepper), pepperVersion: 1 }, text: next.text };
}

async function storedSecretOf(text: string) {
  const key = (await weir.deps.control.keys.current(text.split("_")[3] ?? ""))?.body;
  return { secretHmac: key?.secretHmac ?? "", pepperVersion: 1 };
}

const isoIn = (ms: number) => new Date(weir.clock.nowMs() + ms).toISOString();

test("a key expires at its instant, not before and not after, although it is cached", async () => {
  const key = await weir.makeKey("acme", "infer");
  await change(key, { expiresAt: isoIn(2_000) });
  weir.clock.advance(1_999);
  expect(await find(key)).toBeDefined();

  weir.clock.advance(1);

  expect(await find(key)).toBeUndefined();
  weir.clock.advance(-1);
  expect(await find(key)).toBeDefined();
  weir.clock.advance(-1_999);
});

test("a key that is limited to ranges is asked for its caller each time, and one whose caller is unknown is refused", async () => {
  const key = await weir.makeKey("acme", "infer");
  await change(key, { cidrs: ["10.0.0.0/8", "2001:db8::/32"] });

  expect(await find(key, "10.1.2.3")).toBeDefined();
  expect(await find(key, "::ffff:10.1.2.3")).toBeDefined();
  expect(await find(key, "192.0.2.7")).toBeUndefined();
  expect(await find(key)).toBeUndefined();
  expect(await find(key, "2001:db8::1")).toBeDefined();
});

test("a rotated key's new secret is taken by a gateway that has the old one cached, and the old one ends at its instant there, too", async () => {
  const key = await weir.makeKey("acme", "infer");
  await find(key);
  const next = nextSecretOf(key);
  await change(key, { ...next.stored, previous: { ...(await storedSecretOf(key)), endsAt: isoIn(10_000) } });

  expect(await find(next.text)).toBeDefined();
  weir.clock.advance(9_999);
  expect(await find(key)).toBeDefined();
  weir.clock.advance(1);

  expect(await find(key)).toBeUndefined();
  expect(await find(next.text)).toBeDefined();
  weir.clock.advance(-10_000);
});

test("wrong secrets cost a read a second at most, and do not push the right one out of the cache", async () => {
  const key = await weir.makeKey("acme", "infer");
  await find(key);
  const wrong = nextSecretOf(key).text;
  const reads = weir.store.callsOf("Query");

  for (let turn = 0; turn < 10; turn += 1) expect(await find(wrong)).toBeUndefined();

  expect(weir.store.callsOf("Query") - reads).toBe(2); // the key and its tenant
  weir.store.turn("closed");
  weir.clock.advance(1_000);
  await expect(find(wrong)).rejects.toMatchObject({ code: "unavailable" });
  expect(await find(key)).toBeDefined();
  weir.store.turn("open");
  weir.clock.advance(-1_000);
});

test("a person's key has the rights of the role, changes with it within 30 seconds, and ends with the person", async () => {
  const { people } = weir.deps.control;
  const ann = { id: "ann", name: "Ann", role: "viewer", isActive: true } as const;
  await people.append("ann", 0, { body: ann, change: CHANGE });
  const key = await weir.makeKey("operators", "operate");
  await change(key, { person: "ann" });

  expect(await find(key)).toMatchObject({ person: "ann", scopes: new Set(["view", "usage"]) });
  await people.append("ann", 1, { body: { ...ann, role: "finance" }, change: CHANGE });
  weir.clock.advance(30_000);
  expect((await find(key))?.scopes).toEqual(new Set(["view", "usage", "billing"]));
  await people.append("ann", 2, { body: { ...ann, isActive: false }, change: CHANGE });
  weir.clock.advance(30_000);

  expect(await find(key)).toBeUndefined();
  weir.clock.advance(-60_000);
});

test("a key that names a person who does not exist, or that is another tenant's, is nobody's", async () => {
  const [unknown, foreign] = [await weir.makeKey("operators", "operate"), await weir.makeKey("acme", "infer")];
  await change(unknown, { person: "nobody" });
  await change(foreign, { person: "ann" });

  expect(await find(unknown)).toBeUndefined();
  expect(await find(foreign)).toBeUndefined();
});

/** A key as they were made before ids had marks, or as somebody makes one up. */
function madeUp(): string {
  return makeKeyText({ env: "local", cell: "c1" }, weir.deps.ids, weir.deps.ids.base62(16)).text;
}

test("made-up keys cost a bounded number of reads, and push no real key out of the cache", async () => {
  const [key, address] = [await weir.makeKey("acme", "infer"), "192.0.2.77"];
  await find(key, address);
  const reads = weir.store.callsOf("Query");

  const found = await Promise.allSettled(Array.from({ length: 500 }, () => find(madeUp(), address)));

  expect(weir.store.callsOf("Query") - reads).toBe(32);
  expect(found.filter(({ status }) => status === "fulfilled")).toHaveLength(32);
  expect(found.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "rate_limited", retryAfterMs: 1_000 } });
  expect(await find(key, address)).toBeDefined();
  expect(await find(await weir.makeKey("acme", "infer"), address)).toBeDefined();
});

test("a key from before there were marks is let in under such an attack: at once where it is known, a moment later where not", async () => {
  const { keys } = weir.deps.control;
  const stored = (await keys.current(weir.key.split("_")[3] ?? ""))?.body;
  if (stored === undefined) throw new Error("no key");
  const address = "192.0.2.78";
  const old = async () => {
    const text = madeUp();
    const { id = "", secret = "" } = parseKeyText(text) ?? {};
    await keys.append(id, 0, { body: { ...stored, id, secretHmac: secretHmacOf(secret, pepper.pepper) }, change: CHANGE });
    return text;
  };
  const [known, unknown] = [await old(), await old()];
  expect(await find(known, address)).toBeDefined();
  await Promise.allSettled(Array.from({ length: 500 }, () => find(madeUp(), address)));

  weir.clock.advance(6_000); // longer than it is fresh
  await Promise.allSettled(Array.from({ length: 500 }, () => find(madeUp(), address)));
  expect(await find(known, address)).toBeDefined();
  await expect(find(unknown, address)).rejects.toMatchObject({ code: "rate_limited" });
  weir.clock.advance(1_000);
  const atOnce = await Promise.all(Array.from({ length: 50 }, () => find(unknown, address)));

  expect(atOnce.every((principal) => principal !== undefined)).toBe(true);
  weir.clock.advance(-7_000);
});
