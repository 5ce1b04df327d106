import fc from "fast-check";
import { expect, test } from "vitest";
import { systemIds } from "../base/id.ts";
import { isMarkedKeyId, isSecretOf, type KeyMint, makeKey, newestPepper, newKeyId, parseKeyText, peppersOf } from "./key.ts";

const peppers = peppersOf({ 1: "the first pepper", 2: "the second pepper" });
const mint: KeyMint = { place: { env: "test", cell: "c1" }, ids: systemIds, peppers };
const owner = { tenant: "acme", name: "ci", scopes: ["infer" as const] };

test("a key's text tells where it belongs, and its secret is the stored key's", () => {
  const { key, text } = makeKey(mint, owner);

  const parsed = parseKeyText(text);

  expect(parsed).toMatchObject({ env: "test", cell: "c1", id: key.id });
  expect(isSecretOf(key, parsed?.secret ?? "", peppers)).toBe(true);
  expect(JSON.stringify(key)).not.toContain(parsed?.secret);
});

test("a key with any one character changed is known to be wrong without a look into the store", () => {
  const { text } = makeKey(mint, owner);
  const characters = fc.constantFrom(..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- é");

  fc.assert(
    fc.property(fc.nat(text.length - 1), characters, (index, character) => {
      fc.pre(text[index] !== character);
      expect(parseKeyText(text.slice(0, index) + character + text.slice(index + 1))).toBeUndefined();
    }),
  );
});

test("text that is not a key is none, however it looks", () => {
  const { text } = makeKey(mint, owner);

  for (const other of ["", "weir", text.slice(0, -1), `${text}0`, ` ${text}`, `${text}\n`, text.toUpperCase(), "sk-abc"]) {
    expect(parseKeyText(other)).toBeUndefined();
  }
});

test("another key's secret, or the right one under another pepper, is not this key's", () => {
  const [one, other] = [makeKey(mint, owner), makeKey(mint, owner)];
  const secret = parseKeyText(one.text)?.secret ?? "";

  expect(isSecretOf(other.key, secret, peppers)).toBe(false);
  expect(isSecretOf({ ...one.key, pepperVersion: 1 }, secret, peppers)).toBe(false);
  expect(isSecretOf({ ...one.key, pepperVersion: 3 }, secret, peppers)).toBe(false);
  expect(isSecretOf({ ...one.key, secretHmac: "" }, secret, peppers)).toBe(false);
});

test("the newest pepper makes keys, and older ones still check theirs", () => {
  const old = makeKey({ ...mint, peppers: peppersOf({ 1: "the first pepper" }) }, owner);

  expect(newestPepper(peppers).version).toBe(2);
  expect(makeKey(mint, owner).key.pepperVersion).toBe(2);
  expect(isSecretOf(old.key, parseKeyText(old.text)?.secret ?? "", peppers)).toBe(true);
});

test("a key's id bears its installation's mark, whichever of the peppers made it, and no other's", () => {
  const [first, others] = [peppersOf({ 1: "the first pepper" }), peppersOf({ 1: "another installation's" })];
  const { key } = makeKey(mint, owner);
  const old = newKeyId({ ids: systemIds, peppers: first });

  expect([key.id, old]).toEqual(Array(2).fill(expect.stringMatching(/^[0-9A-Za-z]{16}$/)));
  expect([peppers, first, others].map((each) => isMarkedKeyId(key.id, each))).toEqual([true, false, false]);
  expect([peppers, first, others].map((each) => isMarkedKeyId(old, each))).toEqual([true, true, false]);
});

test("ids that somebody makes up bear no mark", () => {
  const madeUp = Array.from({ length: 1_000 }, () => systemIds.base62(16));

  expect([...madeUp, "", "short", `${newKeyId(mint)}x`].filter((id) => isMarkedKeyId(id, peppers))).toEqual([]);
});
