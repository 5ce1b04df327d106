import { afterAll, beforeAll, expect, test } from "vitest";
import type { Tenant } from "../../shared/tenants/tenant.ts";
import { CHANGE, startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const SELLER = { name: "Weir Ltd", address: ["1 Main St"] };
const BOOK = { currency: "EUR", effectiveFrom: "2026-11-01T00:00:00Z", entries: [{ perRequest: { price: "1" } }] };
const BILLING = { priceBook: "standard", discountBps: 0, taxRateBps: 1_900 };

let gateway: TestGateway;
/** Between a handler's read of a tenant and its write. */
let meanwhile: (body: Tenant, after: number) => Promise<void> = async () => undefined;
beforeAll(async () => {
  gateway = await startGateway({
    override: ({ control }) => ({
      control: {
        ...control,
        tenants: {
          ...control.tenants,
          append: async (id, after, entry) => {
            const write = meanwhile;
            meanwhile = async () => undefined;
            await write(entry.body, after);
            return control.tenants.append(id, after, entry);
          },
        },
      },
    }),
  });
  const { control } = gateway.deps;
  await control.models.append("engine", 0, { body: { name: "engine", tenants: "*" }, change: CHANGE });
  const upstream = { url: "http://127.0.0.1:9/v1", model: "m" };
  for (const number of [1, 2])
    await control.versions.append({ model: "engine", number, contentDigest: `${number}`, state: "upstream", upstream }, 0, CHANGE);
  await control.people.append("ann", 0, { body: { id: "ann", name: "Ann", role: "ml", isActive: true }, change: CHANGE });
  await gateway.ask("PUT", "/admin/prices/standard", { body: BOOK });
  await gateway.ask("PUT", "/admin/seller", { body: SELLER });
  await gateway.ask("PUT", "/admin/splits/engine", { body: { shares: [{ version: 1, shareBps: 10_000 }] } });
  await gateway.makeKey("acme", "infer");
});
afterAll(() => gateway.close());

const put = (path: string, body: unknown, revision?: string) =>
  gateway.ask(path.includes("billing") || !/tenants|keys|people/.test(path) ? "PUT" : "PATCH", path, {
    body,
    headers: revision === undefined ? {} : { "if-match": revision },
  });
const tenant = async () => gateway.deps.control.tenants.current("acme");

test("of two who changed what both had read, the second is told so, and the first's word stands", async () => {
  const read = await gateway.ask("GET", "/admin/tenants/acme");
  const tag = read.headers.get("etag") ?? "";

  const first = await put("/admin/tenants/acme/billing", { ...BILLING, taxId: "DE1" }, tag);
  const second = await put("/admin/tenants/acme/billing", { ...BILLING, name: "Acme Ltd" }, tag);

  expect([tag, first.status, first.headers.get("etag")]).toEqual(['"1"', 200, '"2"']);
  expect(second).toMatchObject({ status: 412, json: { error: { code: "precondition_failed", field: "If-Match" } } });
  expect(second.text).toMatch(/Somebody else was faster: this is revision 2, by [0-9A-Za-z]{16} at .*, and If-Match says \\"1\\"/);
  expect(await tenant()).toMatchObject({ revision: 2, body: { billing: { ...BILLING, taxId: "DE1" } } });
  expect((await put("/admin/tenants/acme/billing", { ...BILLING, name: "Acme Ltd" }, '"2"')).status).toBe(200);
});

test("who writes between our read and our write is somebody else too", async () => {
  const before = await tenant();
  if (before === undefined) throw new Error("no tenant");
  const other = async (_: Tenant, after: number) => {
    await gateway.deps.control.tenants.append("acme", after, { body: { ...before.body, name: "Other" }, change: CHANGE });
  };

  meanwhile = other;
  const named = await put("/admin/tenants/acme", { name: "Mine" }, `"${before.revision}"`);
  meanwhile = other;
  const unnamed = await put("/admin/tenants/acme", { name: "Mine" });

  expect(named).toMatchObject({ status: 412, json: { error: { code: "precondition_failed" } } });
  expect(unnamed).toMatchObject({ status: 409, json: { error: { code: "conflict" } } });
  expect((await tenant())?.body.name).toBe("Other");
});

test("every change that replaces what was read can be held to it, and stores nothing when it was changed since", async () => {
  const key = (await gateway.makeKey("acme", "infer")).split("_")[3];
  const changes: [string, object, string?][] = [
    ["/admin/tenants/acme", { limits: { tokensPerMinute: 5 } }],
    ["/admin/tenants/acme/billing", BILLING, "/admin/tenants/acme"],
    [`/admin/keys/${key}`, { limits: { tokensPerMinute: 5 } }],
    ["/admin/people/ann", { role: "viewer" }],
    ["/admin/models/engine", { tenants: ["acme"] }],
    ["/admin/splits/engine", { shares: [{ version: 2, shareBps: 10_000 }] }],
    ["/admin/seller", { ...SELLER, name: "Other" }],
    ["/admin/prices/standard", { ...BOOK, effectiveFrom: "2099-01-01T00:00:00Z" }],
  ];
  for (const [path, body, shownAt = path] of changes) {
    const before = await gateway.ask("GET", shownAt);

    const refused = await put(path, body, '"99"');

    expect([path, refused.status, before.status]).toEqual([path, 412, 200]);
    expect((await gateway.ask("GET", shownAt)).text).toBe(before.text);
    expect(before.headers.get("etag")).toMatch(/^"[0-9]+"$/);
  }
});

test("a header may name several, be weakened by a proxy, or ask only that there is one", async () => {
  const tag = `"${(await tenant())?.revision}"`;

  expect((await put("/admin/tenants/acme", { name: "1" }, `"99", W/${tag}`)).status).toBe(200);
  expect((await put("/admin/tenants/acme", { name: "2" }, "*")).status).toBe(200);
  const nowhere = await put("/admin/prices/none", BOOK, "*");
  expect(nowhere).toMatchObject({ status: 412, json: { error: { message: expect.stringContaining("there is none") } } });
  expect((await gateway.ask("GET", "/admin/prices/none")).status).toBe(404);
});

test.each(["7", '"seven"', '"1" "2"', "", '"-1"'])("If-Match: %s is refused, for nobody knows what was meant", async (header) => {
  const before = await tenant();

  const refused = await put("/admin/tenants/acme", { name: "lost" }, header);

  expect(refused).toMatchObject({ status: 400, json: { error: { code: "invalid_request", field: "If-Match" } } });
  expect(await tenant()).toEqual(before);
});
