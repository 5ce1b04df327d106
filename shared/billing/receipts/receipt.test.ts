import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { checkReceipt, type Receipt, receiptKeySetOf, receiptKeysOf, signReceipt } from "./receipt.ts";

const RECEIPT: Receipt = {
  ...{ schema: 1, requestId: "01a2184c-3181-70e9-8abb-66b903afcd03", tenant: "acme", model: "minilm@2", task: "embed", outcome: "ok" },
  ...{ inputs: 1, inputTokens: 7, outputTokens: 0, computeMs: 3, priceVersion: 4, acceptedAt: "2026-11-23T00:00:00.000Z" },
};
const TEXT = "48 characters that CloudFormation has made, about";
const pem = () => generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
const signed = (texts: Record<string, string>) => signReceipt(RECEIPT, receiptKeysOf(texts)) ?? "";

test("a receipt is good by its published keys, and says what it said", () => {
  const texts = { "1": TEXT };

  const checked = checkReceipt(signed(texts), receiptKeySetOf(receiptKeysOf(texts)));

  expect(checked).toEqual({ isValid: true, receipt: RECEIPT });
});

test("the same receipt has the same text, so a replay brings the same one", () => {
  expect(signed({ "1": TEXT })).toBe(signed({ "1": TEXT }));
});

test("the highest version signs, and what an older one has signed stays good", () => {
  const [old, both] = [{ "9": TEXT }, { "9": TEXT, "10": pem() }];
  const keySet = receiptKeySetOf(receiptKeysOf(both));

  expect(keySet.keys.map(({ kid }) => kid)).toEqual(["9", "10"]);
  expect(checkReceipt(signed(both), keySet)).toMatchObject({ isValid: true });
  expect(checkReceipt(signed(old), keySet)).toMatchObject({ isValid: true });
  expect(checkReceipt(signed(both), receiptKeySetOf(receiptKeysOf(old)))).toMatchObject({ isValid: false });
});

test("any change of any character is noticed", () => {
  const text = signed({ "1": TEXT });
  const keySet = receiptKeySetOf(receiptKeysOf({ "1": TEXT }));
  const lastOfSignature = text.length - 1; // its low bits are no part of the signature

  for (let at = 0; at < lastOfSignature; at += 7) {
    const other = text.charAt(at) === "A" ? "B" : "A";

    expect(checkReceipt(text.slice(0, at) + other + text.slice(at + 1), keySet).isValid).toBe(false);
  }
});

test.each(["", "a.b", "a.b.c", "a.b.c.d", "…"])("'%s' is no receipt, and says why", (text) => {
  expect(checkReceipt(text, receiptKeySetOf(receiptKeysOf({ "1": TEXT })))).toMatchObject({ isValid: false, reason: expect.any(String) });
});

test("PEM, base64 and texts are keys; short texts and other kinds of keys are not", () => {
  const der = generateKeyPairSync("ed25519").privateKey.export({ format: "der", type: "pkcs8" }).toString("base64");
  const rsa = generateKeyPairSync("ed448").privateKey.export({ format: "pem", type: "pkcs8" }).toString();

  expect([...receiptKeysOf({ "1": pem(), "2": der, "3": TEXT }).values()].map(({ asymmetricKeyType }) => asymmetricKeyType)).toEqual(
    Array(3).fill("ed25519"),
  );
  expect(() => receiptKeysOf({ "1": "short" })).toThrow("fewer than 32");
  expect(() => receiptKeysOf({ "1": rsa })).toThrow("not ed25519");
});

test("without keys nothing is signed and nothing published", () => {
  expect([signReceipt(RECEIPT, receiptKeysOf({})), receiptKeySetOf(receiptKeysOf({})).keys]).toEqual([undefined, []]);
});
