import { expect, test } from "vitest";
import { readConfig } from "./config.ts";

const BASE = {
  WEIR_PEPPERS: '{"1":"a pepper for tests only"}',
  WEIR_POOLS: "[]",
  WEIR_INTAKE: '{"kind":"http","url":"http://127.0.0.1:9"}',
};

test("engines are called in public, with keys that are bound to origins, unless the environment names more", () => {
  const credential = { value: "sk", origins: ["https://api.example.com"] };

  expect(readConfig(BASE).engines).toEqual({ origins: [], credentials: new Map() });
  expect(readConfig({ ...BASE, WEIR_ENGINE_ORIGINS: '"*"', WEIR_UPSTREAM_A: JSON.stringify(credential) }).engines).toEqual({
    origins: "*",
    credentials: new Map([["WEIR_UPSTREAM_A", credential]]),
  });
});

test("an engine's key without an origin stops the start, by its name and without its text", () => {
  const read = () => readConfig({ ...BASE, WEIR_UPSTREAM_A: "sk-secret" });

  expect(read).toThrow(/environment is wrong:\n✖ WEIR_UPSTREAM_A: must be \{"value": "the key", "origins"/);
  expect(read).not.toThrow("sk-secret");
});

test("a whole generation has a minute unless the environment says more, and no more than its row may wait", () => {
  const secondsOf = (seconds?: string) =>
    readConfig({ ...BASE, ...(seconds === undefined ? {} : { WEIR_GENERATION_SECONDS: seconds }) }).WEIR_GENERATION_SECONDS;

  expect([secondsOf(), secondsOf("570"), secondsOf("5")]).toEqual([60, 570, 5]);
  for (const wrong of ["571", "4", "60.5", "soon", ""]) expect(() => secondsOf(wrong)).toThrow("WEIR_GENERATION_SECONDS");
});
