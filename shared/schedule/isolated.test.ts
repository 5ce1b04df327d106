import { expect, test } from "vitest";
import { Failure } from "../base/failure.ts";
import { isolated } from "./isolated.ts";

function worldOf() {
  const logged: unknown[] = [];
  const log = (level: string, message: string, fields?: object) => void logged.push([level, message, fields]);
  return { logged, share: <T>(work: () => Promise<T>) => isolated(log, { message: "no bill", of: { tenant: "acme" } }, work) };
}

test("what goes well is answered, and nothing is said", async () => {
  const { logged, share } = worldOf();

  expect(await share(async () => "issued")).toBe("issued");
  expect(logged).toEqual([]);
});

test.each([new Error("not in its form"), new Failure("conflict", "was changed")])(
  "one's trouble (%s) is logged with whose it is, and the round goes on",
  async (error) => {
    const { logged, share } = worldOf();

    expect(await share(() => Promise.reject(error))).toBeUndefined();
    expect(logged).toEqual([["error", "no bill", { tenant: "acme", error }]]);
  },
);

test("a store that is away is nobody's trouble and ends the round", async () => {
  const { logged, share } = worldOf();

  await expect(share(() => Promise.reject(new Failure("unavailable", "away")))).rejects.toThrow("away");
  expect(logged).toEqual([]);
});
