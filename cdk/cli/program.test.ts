import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { runCommand } from "../../test/harness/command.ts";
import { startGateway, type TestGateway } from "../../test/harness/gateway.ts";

const CHANGE = { by: "test", why: "", atMs: 0 };

let gateway: TestGateway;
let url: string;
let folder: string;
beforeAll(async () => {
  gateway = await startGateway();
  url = await gateway.listen();
  folder = mkdtempSync(join(tmpdir(), "weir-cli-"));
  const { models, versions } = gateway.deps.control;
  await models.append("minilm", 0, { body: { name: "minilm", tenants: "*" }, change: CHANGE });
  for (const number of [1, 2, 3]) {
    const upstream = { url: "http://127.0.0.1:9/v1", model: `engine-${number}` };
    await versions.append({ model: "minilm", number, contentDigest: `${number}`, state: "upstream", upstream }, 0, CHANGE);
  }
});
afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

const weir = (line: string, environment: NodeJS.ProcessEnv = { WEIR_URL: url, WEIR_KEY: gateway.operatorKey }) =>
  runCommand(
    line.split(" ").map((word) => word.replaceAll("+", " ")),
    { WEIR_STATE_DIR: folder, ...environment },
  );

test("tenants are made, listed, shown and closed", async () => {
  expect((await weir("tenants create acme --name Acme+Ltd --rate 2.5 --burst 7")).code).toBe(0);
  expect((await weir("tenants close acme --why zahlt–nicht")).code).toBe(0);

  const shown = await weir("tenants show acme --json");
  const listed = await weir("tenants list");

  expect(JSON.parse(shown.out)).toMatchObject({
    id: "acme",
    isClosed: true,
    rate: { requestsPerSecond: 2.5, burst: 7 },
    revision: { why: "zahlt–nicht" },
  });
  expect(listed.out).toMatch(/^ID +NAME +STATE +PRICES +REQUESTS\/S +BURST +CHANGED$/m);
  expect(listed.out).toMatch(/^acme +Acme Ltd +closed +- +2\.5 +7 /m);
});

test("a key that the command made works, until the command revokes it", async () => {
  await weir("tenants create globex");
  const created = await weir("keys create --tenant globex --name laptop --scopes usage");
  const key = created.out.trimEnd().split("\n").at(-1) ?? "";

  const usage = await weir("usage --json", { WEIR_URL: url, WEIR_KEY: key });
  expect(JSON.parse(usage.out)).toMatchObject({ tenant: "globex", total: { requests: 0 }, items: [] });
  expect(created.err).toContain("cannot be shown again");

  const id = key.split("_")[3];
  expect(await weir(`keys revoke ${id}`)).toMatchObject({ code: 0, out: expect.stringContaining("revoked") });
  expect((await weir("keys list --tenant globex")).out).toMatch(new RegExp(`^${id} +globex +laptop +usage +revoked `, "m"));
});

test("a tenant's own key makes, rotates, lists and revokes keys of its tenant", async () => {
  const own = { WEIR_URL: url, WEIR_KEY: await gateway.makeKey("initech", "keys", "usage") };
  const created = await weir("keys create --own --name ci --scopes usage --models minilm --cidrs 127.0.0.0/8 --json", own);
  const { id, key } = z.looseObject({ id: z.string(), key: z.string() }).parse(JSON.parse(created.out));

  const rotated = await weir(`keys rotate ${id} --own --overlap 60`, own);

  expect(rotated.out).toContain(`weir_local_c1_${id}_`);
  expect(rotated.out).not.toContain(key);
  expect((await weir("keys list --own", own)).out).toMatch(
    new RegExp(`^${id} +initech +ci +usage +minilm 127\\.0\\.0\\.0/8 old secret until \\S+ +valid `, "m"),
  );
  expect((await weir(`keys revoke ${id} --own`, own)).out).toContain("revoked");
});

test("people are made, changed and ended, and their keys have their role's rights", async () => {
  expect((await weir("people create ann --role viewer --name Ann+B")).out).toMatch(/^ann +Ann B +viewer +active /m);
  const created = await weir("keys create --tenant operators --person ann --name laptop");
  const key = created.out.trimEnd().split("\n").at(-1) ?? "";

  expect((await weir("tenants list", { WEIR_URL: url, WEIR_KEY: key })).code).toBe(0);
  expect(await weir("tenants create x", { WEIR_URL: url, WEIR_KEY: key })).toMatchObject({
    code: 1,
    err: expect.stringContaining("operate"),
  });
  expect((await weir("people change ann --role finance")).out).toMatch(/^ann +Ann B +finance +active /m);
  expect((await weir("people deactivate ann --why left")).out).toMatch(/^ann +Ann B +finance +inactive /m);
  expect((await weir("people list")).out).toMatch(/^ann +/m);
});

test("the trail tells who changed what, and with --diff what was before and after", async () => {
  await weir("tenants create umbrella --why first+try");
  await weir("tenants close umbrella --why never+paid");

  const listed = await weir("audit tenant umbrella");
  const changed = await weir("audit tenant umbrella --diff --limit 1");

  expect(listed.out).toMatch(/^\S+Z +tenant umbrella +2 +\w{16} +never paid$/m);
  expect(listed.out).toMatch(/^\S+Z +tenant umbrella +1 +\w{16} +first try$/m);
  expect(changed.out).toMatch(/^isClosed +false +true$/m);
  expect(JSON.parse((await weir("audit --limit 2 --json")).out)).toHaveLength(2);
  const maker = JSON.parse((await weir("audit tenant umbrella --json")).out)[0].by;
  expect((await weir(`audit tenant umbrella --actor ${maker}`)).out).toBe(listed.out);
  expect(JSON.parse((await weir("audit --actor nobody --json")).out)).toEqual([]);
});

test("a tenant's deletion says what is erased and what is kept, then and later", async () => {
  await weir("tenants create leaving");

  const unsure = await weir("tenants delete leaving");
  const deleted = await weir("tenants delete leaving --yes --why asked+to");
  const report = await weir("tenants deletion leaving");

  expect(unsure).toMatchObject({ code: 2, err: expect.stringContaining("add --yes") });
  expect(deleted.out).toMatch(/^leaving: erasing \(asked for at /);
  expect(report.out).toMatch(/^control +key-use#<tenant> +0/m);
  expect(report.out).toMatch(/^records +invoices\/<bearer>\/<digest> +0 +all of it +20\d\d-01-01T/m);
});

test("a split is set in percent and shown in percent, exactly", async () => {
  const set = await weir("split set minilm 1=33.33% 2=33.33% 3=33.34% --json");
  const shown = await weir("split show minilm");

  const { shares } = z.looseObject({ shares: z.array(z.looseObject({ shareBps: z.int() })) }).parse(JSON.parse(set.out));
  expect(shares.map(({ shareBps }) => shareBps)).toEqual([3333, 3333, 3334]);
  expect(shown.out).toMatch(/^minilm@3 +33\.34% /m);
});

test("usage shows the range that it covers, and a total", async () => {
  const shown = await weir("usage --from 2026-11-23T10:00:00Z --to 2026-11-23T12:00:00Z --tenant operators");

  expect(shown.out).toContain("operators from 2026-11-23T10:00:00.000Z to 2026-11-23T12:00:00.000Z");
  expect(shown.out).toContain(
    "complete to 2026-11-23T10:00:00.000Z; sealed 0 of 120; open: 2026-11-23T10 sealed 0 of 60, 2026-11-23T11 sealed 0 of 60",
  );
  expect(shown.out).toMatch(/^total +0 +0 +0 +0 +0$/m);
});

test("the status can be read by people and by machines", async () => {
  expect((await weir("status")).out).toMatch(/^store +reachable, \d+ ms$/m);
  expect(JSON.parse((await weir("status --json")).out)).toMatchObject({ store: { isReachable: true } });
});

test("a refusal is one line with message, field and request id, nothing on stdout, and exit code 1", async () => {
  const refused = await weir("split set minilm 9=100%");

  expect(refused).toMatchObject({ code: 1, out: "" });
  expect(refused.err).toMatch(/^weir: shares\.0\.version: minilm@9 does not exist \(field shares\.0\.version, request [0-9a-f-]{36}\)\n$/);
});

test.each([
  ["an unknown command", "frobnicate"],
  ["a noun without its verb", "tenants"],
  ["a missing argument", "split set minilm"],
  ["a missing option", "people create ann"],
  ["keys of nobody", "keys list"],
  ["keys of a tenant and one's own", "keys list --own --tenant globex"],
  ["a role that is none", "people create ann --role root"],
  ["an unknown scope", "keys create --tenant globex --scopes root"],
  ["a share without a percent sign", "split set minilm 1=100"],
  ["a share of three decimals", "split set minilm 1=33.333% 2=66.667%"],
  ["shares that do not sum to 100 %", "split set minilm 1=33.33% 2=66.66%"],
  ["a version twice", "split set minilm 1=50% 1=50%"],
  ["a URL that is none", "status --url nonsense"],
])("%s is exit code 2, said on stderr, and nothing is sent", async (_, line) => {
  const before = await gateway.deps.control.splits.current("minilm");

  const misunderstood = await weir(line);

  expect(misunderstood).toMatchObject({ code: 2, out: "" });
  expect(misunderstood.err).not.toBe("");
  expect(await gateway.deps.control.splits.current("minilm")).toEqual(before);
});

test("help and the version are exit code 0, without any gateway", async () => {
  expect(await weir("--help", {})).toMatchObject({ code: 0, out: expect.stringContaining("Exit codes"), err: "" });
  expect(await weir("--version", {})).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

test("nobody there is exit code 1, with the reason", async () => {
  const gone = await weir("tenants create x", { WEIR_URL: "http://127.0.0.1:9", WEIR_KEY: "k" });

  expect(gone).toMatchObject({ code: 1, err: expect.stringContaining("http://127.0.0.1:9 cannot be reached") });
});

test("an escape sequence in a name does not reach the terminal", async () => {
  await gateway.ask("POST", "/admin/tenants", { body: { id: "evil", name: "\u001b[2Jgone" } });

  expect((await weir("tenants show evil")).out).not.toContain("\u001b");
});

test("without settings the operator's file of this machine is used, and its key goes nowhere else", async () => {
  const path = join(folder, "operator.json");
  expect(await weir("status", {})).toMatchObject({ code: 2, err: expect.stringContaining("set WEIR_URL and WEIR_KEY") });

  writeFileSync(path, JSON.stringify({ url, key: gateway.operatorKey }));
  expect((await weir("status", {})).code).toBe(0);
  expect((await weir("status", { WEIR_URL: `${url}/` })).code).toBe(0);
  expect(await weir("status", { WEIR_URL: "https://weir.example" })).toMatchObject({ code: 2, err: expect.stringContaining("no key for") });

  writeFileSync(path, "{");
  expect(await weir("status", {})).toMatchObject({ code: 1, err: expect.stringContaining(path) });
});
