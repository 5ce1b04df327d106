import fc from "fast-check";
import { expect, test } from "vitest";
import { type Grant, type Holder, isWithin, narrow } from "./narrow.ts";

const holder: Holder = {
  rights: new Set(["infer", "keys"]),
  models: ["minilm", "smol@2"],
  cidrs: ["10.0.0.0/8"],
  expiresAt: "2026-12-01T00:00:00Z",
};

test("what is not said is as the holder has it, and less may be said", () => {
  expect(narrow({ scopes: ["infer"] }, holder)).toEqual({
    scopes: ["infer"],
    models: ["minilm", "smol@2"],
    cidrs: ["10.0.0.0/8"],
    expiresAt: "2026-12-01T00:00:00Z",
  });
  const less: Grant = { scopes: ["infer"], models: ["minilm@3"], cidrs: ["10.1.2.3/32"], expiresAt: "2026-11-30T00:00:00Z" };
  expect(narrow(less, holder)).toEqual(less);
});

test.each([
  ["scopes", { scopes: ["usage"] }],
  ["models", { models: ["smol"] }],
  ["models", { models: ["minilm", "smol@3"] }],
  ["cidrs", { cidrs: ["10.0.0.0/7"] }],
  ["cidrs", { cidrs: ["10.1.0.0/16", "0.0.0.0/0"] }],
  ["expiresAt", { expiresAt: "2026-12-01T00:00:00.001Z" }],
] as const)("more %s than the holder's are refused: %j", (field, wanted) => {
  const grant = { scopes: ["infer"], ...wanted } as unknown as Grant; // the readonly tuples of this table

  expect(() => narrow(grant, holder)).toThrow(expect.objectContaining({ code: "forbidden", field }));
  expect(isWithin({ ...narrow({ scopes: ["infer"] }, holder), ...grant }, holder)).toBe(false);
});

test("a holder without limits hands out anything of its scopes", () => {
  const free: Holder = { rights: new Set(["infer", "keys"]) };

  expect(narrow({ scopes: ["infer"], models: ["x"], cidrs: ["::/0"] }, free)).toEqual({
    scopes: ["infer"],
    models: ["x"],
    cidrs: ["::/0"],
  });
  expect(narrow({ scopes: ["keys"] }, free)).toEqual({ scopes: ["keys"] });
});

test("whatever is handed out lies within the holder's, and a key without limits does not lie within a limited one's", () => {
  const grants = fc.record({
    scopes: fc.subarray<"infer" | "keys" | "usage">(["infer", "keys", "usage"], { minLength: 1 }),
    models: fc.option(fc.subarray(["minilm", "minilm@1", "smol", "smol@2", "other"], { minLength: 1 }), { nil: undefined }),
    cidrs: fc.option(fc.subarray(["10.0.0.0/8", "10.2.0.0/15", "0.0.0.0/0", "::1/128"], { minLength: 1 }), { nil: undefined }),
    expiresAt: fc.option(fc.constantFrom("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"), { nil: undefined }),
  });

  fc.assert(
    fc.property(grants, (wanted) => {
      const given = attempt(() => narrow(wanted, holder));
      if (given !== undefined) expect(isWithin(given, holder)).toBe(true);
    }),
  );
  expect(isWithin({ scopes: ["infer"] }, holder)).toBe(false);
});

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
