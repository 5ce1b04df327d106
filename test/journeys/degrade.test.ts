import { afterAll, beforeAll, expect, test } from "vitest";
import { startPlatform, type TestPlatform } from "../harness/platform.ts";

let platform: TestPlatform;

beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(() => platform.remove());

async function embed(headers: Record<string, string> = {}) {
  const answer = await fetch(`${platform.url}/v1/embeddings`, {
    method: "POST",
    headers: { authorization: `Bearer ${platform.demoKey}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "minilm@1", input: "A weir meters a river and splits it." }),
  });
  const { data } = (await answer.json()) as { data: { embedding: number[] }[] }; // OpenAI's form
  return { tier: answer.headers.get("weir-tier"), degraded: answer.headers.get("weir-degraded"), vector: data[0]?.embedding ?? [] };
}

test("while the inference function does not answer, the gateway's own tier does, with the same model's vectors, and says so", async () => {
  const usual = await embed();
  const pid = await platform.pidOf("inference");
  process.kill(pid, "SIGSTOP");
  try {
    const standIn = await embed({ "weir-timeout": "20" });

    expect(usual).toMatchObject({ tier: "cpu", degraded: null });
    expect(standIn).toMatchObject({ tier: "edge", degraded: "cpu timeout" });
    expect(cosine(standIn.vector, usual.vector)).toBeGreaterThan(0.99);
  } finally {
    process.kill(pid, "SIGCONT");
  }
});

/** Of vectors of length 1. */
function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
