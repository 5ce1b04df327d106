import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());

test("a preflight needs no key and allows whatever headers the official client sends", async () => {
  const sent: string[] = [];
  const spy: typeof fetch = async (_url, init) => {
    sent.push(...new Headers(init?.headers).keys());
    return new Response("{}", { status: 500 });
  };
  const client = new OpenAI({ apiKey: weir.key, baseURL: `${weir.url}/v1`, maxRetries: 0, fetch: spy });
  await client.embeddings.create({ model: "minilm", input: "x" }).catch(() => {});

  const preflight = await fetch(`${weir.url}/v1/embeddings`, {
    method: "OPTIONS",
    headers: { origin: "https://app.example", "access-control-request-method": "POST", "access-control-request-headers": sent.join(",") },
  });

  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
  expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
  expect(sent).toContain("x-stainless-os");
  expect(preflight.headers.get("access-control-allow-headers")?.split(",")).toEqual(expect.arrayContaining(sent));
});

test("answers and refusals alike may be read by a page, headers included", async () => {
  const origin = "https://app.example";

  const answer = await weir.post("/v1/embeddings", { model: "minilm", input: "x" }, { origin });
  const refusal = await weir.post("/v1/embeddings", {}, { origin, authorization: "" });

  for (const each of [answer, refusal]) {
    expect(each.headers.get("access-control-allow-origin")).toBe("*");
    expect(each.headers.get("access-control-expose-headers")).toContain("Weir-Request-Id");
    expect(each.headers.get("weir-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  }
  expect([answer.status, refusal.status]).toEqual([200, 401]);
});
