import { crc32 } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { toBase62 } from "../../shared/base/id.ts";
import { type Serving, startServing } from "../../test/harness/serving.ts";

let weir: Serving;
beforeAll(async () => {
  weir = await startServing();
});
afterAll(() => weir.close());
beforeEach(async () => {
  await weir.newRows();
});

const embed = (authorization: string, headers: Record<string, string> = {}) =>
  weir.post("/v1/embeddings", { model: "minilm", input: "x" }, { authorization, ...headers });

async function refusalOf(answer: Response) {
  return { status: answer.status, wants: answer.headers.get("www-authenticate"), body: await answer.json() };
}

test("missing, garbled, unknown, wrong and revoked keys get one answer, and nothing is metered", async () => {
  const revoked = await weir.makeKey("acme", "infer");
  await weir.revoke(revoked);
  const unknown = signed("weir_local_c1_AAAAAAAAAAAAAAAA_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
  const other = await weir.makeKey("acme", "infer");
  const garbled = ["", "Bearer", "Bearer nonsense", `Basic ${weir.key}`, `Bearer ${weir.key}x`, `Bearer ${weir.key.slice(0, -1)}!`];

  const answers = await Promise.all([...garbled, `Bearer ${unknown}`, `Bearer ${revoked}`].map((each) => embed(each)));
  const swapped = await embed(`Bearer ${swapSecret(weir.key, other)}`);

  const refusals = await Promise.all([...answers, swapped].map(refusalOf));
  for (const refusal of refusals) {
    expect(refusal).toEqual({
      status: 401,
      wants: "Bearer",
      body: {
        error: { message: "The API key is missing or not valid.", type: "invalid_request_error", param: null, code: "invalid_api_key" },
      },
    });
  }
  expect(await weir.newRows()).toEqual([]);
});

test("a garbled key costs no look into the store", async () => {
  const before = weir.store.callsOf("Query");

  await embed("Bearer nonsense");
  await embed(`Bearer ${weir.key.slice(0, -1)}${weir.key.endsWith("0") ? "1" : "0"}`); // the checksum is wrong

  expect(weir.store.callsOf("Query")).toBe(before);
});

test("x-api-key is as good, and the scheme's case does not matter", async () => {
  expect((await embed("", { "x-api-key": weir.key })).status).toBe(200);
  expect((await embed(`bearer ${weir.key}`)).status).toBe(200);
});

test("a key without the scope is refused in the dialect's form, before anything is read", async () => {
  const authorization = `Bearer ${await weir.makeKey("acme", "usage")}`;

  const [openai, hf, oip] = await Promise.all([
    embed(authorization),
    weir.post("/hf/minilm", "not even JSON", { authorization }),
    weir.post("/v2/models/minilm/infer", "not even JSON", { authorization }),
  ]);

  expect([openai.status, hf.status, oip.status]).toEqual([403, 403, 403]);
  expect(await openai.json()).toMatchObject({ error: { type: "permission_error" } });
  expect(await hf.json()).toEqual({ error: "This API key lacks the scope 'infer'.", error_type: "forbidden" });
  expect(await oip.json()).toEqual({ error: "This API key lacks the scope 'infer'." });
  expect((await weir.get("/v1/models", { authorization })).status).toBe(403);
  expect(await weir.newRows()).toEqual([]);
});

test("a key of a tenant that was closed is refused", async () => {
  const authorization = `Bearer ${await weir.makeKey("closing", "infer")}`;
  const tenant = await weir.deps.control.tenants.current("closing");
  if (tenant === undefined) throw new Error("no tenant");
  const change = { by: "test", why: "", atMs: 0 };
  await weir.deps.control.tenants.append("closing", tenant.revision, { body: { ...tenant.body, isClosed: true }, change });

  expect((await embed(authorization)).status).toBe(401);
});

test("what is not there is not found only for those who may ask", async () => {
  expect((await weir.get("/v1/nothing", { authorization: "" })).status).toBe(401);
  expect((await weir.get("/v1/nothing")).status).toBe(404);
});

/** One key's id with the other's secret, and a checksum that fits. */
function swapSecret(key: string, other: string): string {
  const [prefix, env, cell, id] = key.split("_");
  const secret = other.split("_")[4]?.slice(0, 32);
  return signed(`${prefix}_${env}_${cell}_${id}_${secret}`);
}

function signed(body: string): string {
  return body + toBase62(crc32(body), 6);
}
