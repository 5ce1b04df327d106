import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fallback, ReadyVersion, Version, VersionFacts } from "../../shared/models/version.ts";
import { CHANGE, startGateway, type TestGateway } from "../../test/harness/gateway.ts";
import { checkFallbacks } from "./check-fallbacks.ts";
import { isRejection } from "./rejection.ts";

const FACTS: VersionFacts = { head: "embed", family: "bert", tokensMax: 16, dimensions: 8, dtypes: ["fp32"] };
const BASE = { model: "m", contentDigest: "c", files: [{ path: "config.json", bytes: 2, sha256: "0".repeat(64) }] };

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
  const ready: ReadyVersion = {
    ...BASE,
    number: 1,
    state: "ready",
    placement: { pool: "cpu", dtype: "fp32" },
    facts: FACTS,
    manifestDigest: "d",
  };
  await gateway.deps.control.versions.append(ready, 0, CHANGE);
});
afterAll(() => gateway.close());

const check = (fallbacks: Fallback[], facts: VersionFacts) => {
  const version: Version = { ...BASE, number: 2, state: "checking", placement: { pool: "gpu", dtype: "fp32", fallbacks } };
  return checkFallbacks(gateway.deps.control.versions, version, facts);
};

test("a version may fall back to one that answers the same", async () => {
  await check([{ pool: "cpu", dtype: "q8" }, { version: 1 }], { ...FACTS, tokensMax: 512 });
});

test("a fallback whose vectors have another size is a reason to reject the version, in words", async () => {
  const checked = check([{ version: 1 }], { ...FACTS, dimensions: 16 });

  await expect(checked).rejects.toSatisfy(isRejection);
  await expect(checked).rejects.toThrow("m@1 cannot be a fallback: its vectors have 8 elements, not 16.");
});

test("so is one that is not ready any more, or never was", async () => {
  await expect(check([{ version: 7 }], FACTS)).rejects.toThrow("m@7 cannot be a fallback: it is not ready.");
});
