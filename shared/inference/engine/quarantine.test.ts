import { expect, test } from "vitest";
import { createQuarantine } from "./quarantine.ts";

test("a model that ends workers twice in a row is set aside for a minute, and only it", () => {
  let nowMs = 0;
  const quarantine = createQuarantine({ nowMs: () => nowMs });

  quarantine.blame("bomb", "it died");
  expect(() => quarantine.check("bomb")).not.toThrow();
  quarantine.blame("bomb", "it died");

  expect(() => quarantine.check("bomb")).toThrow(expect.objectContaining({ code: "engine_failed", retryAfterMs: 60_000 }));
  expect(() => quarantine.check("minilm")).not.toThrow();
  nowMs = 60_000;
  expect(() => quarantine.check("bomb")).not.toThrow();
});

test("an answer in between clears it", () => {
  const quarantine = createQuarantine({ nowMs: () => 0 });

  quarantine.blame("unlucky", "it died");
  quarantine.clear("unlucky");
  quarantine.blame("unlucky", "it died");

  expect(() => quarantine.check("unlucky")).not.toThrow();
});
