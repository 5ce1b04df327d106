import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.close());

const statusOf = async (line: string, key: string) => {
  const [method = "", path = ""] = line.split(" ");
  return (await gateway.ask(method, path, { key, ...(method === "GET" ? {} : { body: {} }) })).status;
};

test("a part's scope opens that part and no other", async () => {
  const key = await gateway.makeKey("operators", "models");

  expect(await statusOf("GET /admin/models", key)).toBe(200);
  expect(await statusOf("POST /admin/models/x/versions", key)).toBe(400);
  for (const other of ["GET /admin/tenants", "GET /admin/splits/x", "GET /admin/status", "POST /admin/tenants", "GET /admin/nothing"]) {
    expect([other, await statusOf(other, key)]).toEqual([other, 403]);
  }
});

test("operate implies every part", async () => {
  const key = await gateway.makeKey("operators", "operate");

  for (const each of ["GET /admin/models", "GET /admin/tenants", "GET /admin/status"]) expect(await statusOf(each, key)).toBe(200);
  expect(await statusOf("GET /admin/nothing", key)).toBe(404);
});

test("operators' scopes in another tenant's key open nothing, however they came there", async () => {
  const key = await gateway.makeKey("acme", "operate", "models", "usage");

  expect(await statusOf("GET /admin/models", key)).toBe(403);
  expect(await statusOf("GET /admin/tenants", key)).toBe(403);
  expect(await statusOf("GET /v1/usage?tenant=operators", key)).toBe(403);
  expect(await statusOf("GET /v1/usage", key)).toBe(200);
});
