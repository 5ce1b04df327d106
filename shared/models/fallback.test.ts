import { expect, test } from "vitest";
import { fallbackName, parseFallback, repeatedFallback, whyNoFallback } from "./fallback.ts";
import { FALLBACKS_MAX, Placement, type VersionFacts } from "./version.ts";

const EMBED: VersionFacts = { head: "embed", family: "bert", tokensMax: 512, dimensions: 384, dtypes: ["fp32"] };
const CLASSIFY: VersionFacts = { head: "classify", family: "bert", tokensMax: 512, labels: ["a", "b"], dtypes: ["fp32"] };

test.each(["cpu/q8", "edge/fp32", "@1", "@12"])("'%s' is read and written back", (text) => {
  const fallback = parseFallback(text);

  expect(fallback && fallbackName(fallback)).toBe(text);
});

test.each([
  "",
  "cpu",
  "cpu/",
  "/q8",
  "cpu/fp64",
  "Cpu/q8",
  "cpu/q8/x",
  "@",
  "@0",
  "@-1",
  "@1.5",
  "@x",
  "cpu/@1",
  " @1",
  `@${"9".repeat(30)}`,
])("'%s' is no fallback", (text) => {
  expect(parseFallback(text)).toBeUndefined();
});

test("a placement that asks a place twice is seen, its own place included", () => {
  const place = { pool: "gpu", dtype: "fp32" } as const;

  expect(repeatedFallback({ ...place, fallbacks: [{ pool: "gpu", dtype: "q8" }, { pool: "cpu", dtype: "fp32" }, { version: 1 }] })).toBe(
    undefined,
  );
  expect(repeatedFallback({ ...place, fallbacks: [{ version: 1 }, { version: 1 }] })).toBe("@1");
  expect(repeatedFallback({ ...place, fallbacks: [place] })).toBe("gpu/fp32");
});

test.each<[string, unknown]>([
  ["too many", Array.from({ length: FALLBACKS_MAX + 1 }, (_, index) => ({ version: index + 1 }))],
  ["a place and a version at once", [{ pool: "cpu", dtype: "q8", version: 1 }]],
  ["a fallback of a fallback", [{ version: 1, fallbacks: [{ version: 2 }] }]],
  ["a version that none has", [{ version: 0 }]],
])("%s is no list of fallbacks", (_, fallbacks) => {
  expect(Placement.safeParse({ pool: "gpu", dtype: "fp32", fallbacks }).success).toBe(false);
});

test.each<[string, VersionFacts, VersionFacts, RegExp | undefined]>([
  ["the same", EMBED, EMBED, undefined],
  ["one that reads shorter texts", EMBED, { ...EMBED, tokensMax: 128, family: "albert" }, undefined],
  ["shorter vectors", EMBED, { ...EMBED, dimensions: 256 }, /vectors have 256 elements, not 384/],
  ["another head", EMBED, CLASSIFY, /does not do 'embed', 'zero-shot'/],
  ["labels in another order", CLASSIFY, { ...CLASSIFY, labels: ["b", "a"] }, /labels are others/],
  ["fewer labels", CLASSIFY, { ...CLASSIFY, labels: ["a"] }, /labels are others/],
  ["no template", { ...EMBED, head: "generate", chats: true }, { ...EMBED, head: "generate" }, /no template for conversations/],
  ["a template more", { ...EMBED, head: "generate" }, { ...EMBED, head: "generate", chats: true }, undefined],
])("a fallback with %s is judged by what its answers look like", (_, facts, fallback, why) => {
  const reason = whyNoFallback(facts, fallback);

  if (why === undefined) expect(reason).toBeUndefined();
  else expect(reason).toMatch(why);
});
