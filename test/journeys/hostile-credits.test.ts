import { createHash } from "node:crypto";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Corrections } from "../../shared/billing/invoices/verify-corrections.ts";
import type { PriceBook } from "../../shared/billing/prices/price-book.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../shared/usage/period.ts";
import { runCommand } from "../harness/command.ts";
import { type GatewayOverWorld, gatewayOver } from "../harness/gateway-over-world.ts";
import { createInvoicingWorld } from "../harness/invoicing.ts";
import { rowAt } from "../harness/sealing.ts";
import { recomputeDue } from "./independent-invoice.ts";

const FROM = Date.UTC(2027, 1, 28, 21);
const TO = Date.UTC(2027, 2, 1);
const [state, corrections] = ["invoice-state.json", "corrections.json"] as const;
const TENANTS = ["acme", "globex", "initech"] as const;
const BOOK: PriceBook = {
  name: "standard",
  currency: "EUR",
  effectiveFrom: "2027-02-01T00:00:00Z",
  entries: [{ perRequest: { price: "1.01" } }],
};

let gateway: GatewayOverWorld;
let root: string;
let made = 0;

/** acme's invoice has two credit notes, and a third that waits for its number; globex's is credited as a whole, initech's is void; both are replaced. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "weir-credits-"));
  const world = createInvoicingWorld(FROM);
  await world.setPrices(BOOK);
  await world.setSeller();
  for (const tenant of TENANTS) {
    await world.makeTenant(tenant, {});
    for (const minute of [0, 7, 90]) await world.settle(rowAt(FROM + minute * MINUTE_MS, { tenant }));
  }
  await world.sealAt(TO + 26 * HOUR_MS);
  await world.invoiceAt(TO + 26 * HOUR_MS);
  gateway = await gatewayOver(world);
  await done("credit", "acme-2027-02", "9", "--id", "r-1", "--why", "outage");
  await done("credit", "acme-2027-02", "9", "--id", "r-2", "--why", "outage again");
  await done("credit", "globex-2027-02", "--id", "all", "--why", "wrong company");
  await done("void", "initech-2027-02", "--why", "wrong company");
  for (const tenant of ["globex", "initech"]) await done("replace", `${tenant}-2027-02`, "--why", "right company");
  await world.invoiceAt(TO + 2 * DAY_MS);
  await done("export", "acme-2027-02", join(root, "issued"));
  await done("credit", "acme-2027-02", "100", "--id", "r-3", "--why", "just now");
  await done("pay", "acme-2027-02", "--reference", "transfer 9");
  for (const id of ["acme-2027-02", ...["globex", "initech"].flatMap((tenant) => [`${tenant}-2027-02`, `${tenant}-2027-02-r2`])])
    await done("export", id, join(root, id));
}, 60_000);
afterAll(async () => {
  await gateway.close();
  await rm(root, { recursive: true });
});

const weir = (...words: string[]) => weirBy(gateway.operatorKey, ...words);

const weirBy = (key: string, ...words: string[]) => runCommand(["invoices", ...words], { WEIR_URL: gateway.url, WEIR_KEY: key });

async function done(...words: string[]) {
  expect(await weir(...words)).toMatchObject({ code: 0, err: "" });
}

function copyOf(name: string): string {
  made += 1;
  cpSync(join(root, name), join(root, `${made}`), { recursive: true });
  return join(root, `${made}`);
}

const textOf = (place: string, file: string) => readFileSync(join(place, file), "utf8");
const edit = (place: string, file: string, change: (text: string) => string) =>
  writeFileSync(join(place, file), change(textOf(place, file)));
/** Another value at a path such as `credits.0.number`; undefined takes the field away. */
const set = (place: string, file: string, values: Readonly<Record<string, unknown>>) =>
  edit(place, file, (text) => {
    const entries = Object.entries(values);
    return JSON.stringify(entries.reduce<unknown>((json, [path, value]) => withAt(json, path.split("."), value), JSON.parse(text)));
  });

function withAt(json: unknown, [name = "", ...rest]: readonly string[], value: unknown): unknown {
  const next = (of: unknown) => (rest.length === 0 ? value : withAt(of, rest, value));
  if (Array.isArray(json)) return json.map((each, place) => (String(place) === name ? next(each) : each));
  const fields = json as Readonly<Record<string, unknown>>; // paths of these tests lead through objects and lists only
  return { ...fields, [name]: next(fields[name]) };
}

const editNotes = (place: string, change: (notes: Corrections["credits"]) => Corrections["credits"]) =>
  edit(place, corrections, (text) => {
    const all = Corrections.parse(JSON.parse(text));
    return JSON.stringify({ ...all, credits: change(all.credits) });
  });

/** Changes the document of the first note, and what vouches for it. */
function forgeNote(place: string, values: Readonly<Record<string, unknown>>) {
  const { credits } = Corrections.parse(JSON.parse(textOf(place, corrections)));
  const name = credits[0]?.state === "issued" ? credits[0].name : "";
  set(place, `${name}.json`, values);
  const sha256 = createHash("sha256")
    .update(textOf(place, `${name}.json`))
    .digest("hex");
  set(place, corrections, { "credits.0.documents.json.sha256": sha256 });
}

test("credit notes come with the invoice, are checked, and what is due follows; an independent script finds the same", async () => {
  const issued = await weir("verify", join(root, "issued"));
  const paid = await weir("verify", join(root, "acme-2027-02"));

  // 3.03 and 19 % of tax are 3.61: of 0.09 back 0.0142 is tax, of 0.18 0.0289.
  expect(recomputeDue(join(root, "issued"))).toEqual({
    credits: [expect.stringMatching(/ 9 1$/), expect.stringMatching(/ 9 2$/)],
    dueMinor: "343",
  });
  expect([issued.code, issued.out.includes("DIFFERS")]).toEqual([0, false]);
  expect(issued.out).toMatch(/^due 3\.43 EUR \(issued, 2 credits\)$/m);
  expect(issued.out).toMatch(/^same +6 +credit notes' documents are those that were issued$/m);
  expect([paid.code, paid.out]).toEqual([0, expect.stringMatching(/^due 0\.00 EUR \(paid, 3 credits\)$/m)]);
});

test("what was taken back and what stands in its place are exported with each other, and verify", async () => {
  for (const tenant of ["globex", "initech"]) {
    for (const id of [`${tenant}-2027-02`, `${tenant}-2027-02-r2`]) {
      const verified = await weir("verify", join(root, id));
      expect([id, verified.code, verified.err]).toEqual([id, 0, ""]);
      expect(verified.out).toMatch(/^same +1 +invoices before and after it in its month are taken back/m);
      expect(verified.out).toMatch(id.endsWith("r2") ? /^due 3\.61 EUR/m : /^due 0\.00 EUR/m);
    }
  }
});

test("a tenant's own key gets the same", async () => {
  const [key, place] = [await gateway.keyOf("acme", "usage"), join(root, "own")];

  expect((await weirBy(key, "export", "acme-2027-02", place)).code).toBe(0);

  for (const file of [corrections, "CN-000001.pdf", "CN-000002.json"])
    expect(textOf(place, file)).toBe(textOf(join(root, "acme-2027-02"), file));
});

test("an export from before there were such files verifies, unless something was given back", async () => {
  const [credited, plain] = [copyOf("issued"), copyOf("initech-2027-02-r2")];
  for (const place of [credited, plain]) rmSync(join(place, "corrections.json"));

  expect((await weir("verify", plain)).code).toBe(0);
  expect(await weir("verify", credited)).toMatchObject({
    code: 1,
    err: expect.stringContaining("the credit note of r-1 is not in the export: export it again"),
  });
});

const HOSTILE: readonly [name: string, from: string, spoil: (place: string) => void, difference: string][] = [
  ["a note is dropped", "issued", (at) => editNotes(at, (notes) => notes.slice(0, 1)), "acme-2027-02.r-2 is not in the export"],
  ["a note stands twice", "issued", (at) => editNotes(at, (notes) => [...notes, ...notes]), "a credit note stands twice"],
  ["a credit is hidden", "issued", (at) => set(at, state, { credits: [] }), "acme-2027-02.r-1 is none of this invoice"],
  [
    "a credit is larger than its note",
    "issued",
    (at) => set(at, state, { "credits.0.amountMinor": "90" }),
    "acme-2027-02.r-1 is not what the invoice says of it",
  ],
  [
    "a note is asked in other words",
    "issued",
    (at) => set(at, corrections, { "credits.0.ask.amountMinor": "8" }),
    "acme-2027-02.r-1 is not what the invoice says of it",
  ],
  [
    "a refused note counts",
    "issued",
    (at) => set(at, corrections, { "credits.0.state": "refused", "credits.0.problem": "x" }),
    "was refused, and the invoice has it",
  ],
  [
    "a note is another invoice's",
    "issued",
    (at) => set(at, corrections, { "credits.0.invoice": "globex-2027-02" }),
    "is of the invoice globex-2027-02",
  ],
  [
    "two have one number",
    "issued",
    (at) => set(at, corrections, { "credits.0.number": 77, "credits.1.number": 77 }),
    "has a number that another has, too",
  ],
  ["a number is not that of the name", "issued", (at) => set(at, corrections, { "credits.0.number": 77 }), "and has the number 77"],
  [
    "more is given back than the invoice is",
    "issued",
    (at) => {
      set(at, state, { "credits.0.amountMinor": "900" });
      set(at, corrections, { "credits.0.credit.amountMinor": "900", "credits.0.ask.amountMinor": "900" });
    },
    "900 is given back by r-1, and the invoice is 361",
  ],
  ["a credit takes something", "issued", (at) => set(at, state, { "credits.0.amountMinor": "-9" }), "r-1 gives back -9"],
  [
    "the tax in a credit is another",
    "issued",
    (at) => {
      set(at, state, { "credits.1.taxMinor": "1" });
      set(at, corrections, { "credits.1.credit.taxMinor": "1" });
    },
    "the tax in r-2 is 2, and not 1",
  ],
  ["what is left is another", "issued", (at) => set(at, state, { leftMinor: "361" }), "343 is left, and not 361"],
  [
    "a void invoice has credits",
    "issued",
    (at) => set(at, state, { state: "void", voided: { reason: "x", at: "2027-03-03T00:00:00Z" } }),
    "it is void and has credits",
  ],
  ["a note's PDF was changed", "issued", (at) => edit(at, "CN-000001.pdf", (text) => `${text} `), "CN-000001.pdf: its digest is"],
  ["a note's document is gone", "issued", (at) => rmSync(join(at, "CN-000001.json")), "CN-000001.json cannot be read"],
  ["a note is for another buyer", "issued", (at) => forgeNote(at, { "buyer.name": "Globex" }), "its buyer is"],
  ["a note says another sum", "issued", (at) => forgeNote(at, { totalMinor: "5" }), 'its totalMinor is "5", and not "9"'],
  [
    "a note's number is a path",
    "issued",
    (at) => edit(at, corrections, (text) => text.replaceAll("CN-000001", "../../CN-000001")),
    "is no credit note's number",
  ],
  [
    "the void invoice is not void",
    "initech-2027-02-r2",
    (at) => set(at, corrections, { "replaces.state": "issued" }),
    "initech-2027-02 stands, and initech-2027-02-r2 bills the same month",
  ],
  [
    "the credited invoice is not wholly credited",
    "globex-2027-02-r2",
    (at) => set(at, corrections, { "replaces.credits": [] }),
    "globex-2027-02 stands",
  ],
  [
    "it replaces another one than its document says",
    "initech-2027-02-r2",
    (at) => set(at, state, { "replaces.name": "INV-000077" }),
    "its document does not say the same of what it replaces",
  ],
  [
    "what replaces it is not there",
    "initech-2027-02",
    (at) => set(at, corrections, { replacedBy: null }),
    "initech-2027-02-r2, which replaces it, is not in the export",
  ],
  [
    "what replaces it is of another month",
    "initech-2027-02",
    (at) => set(at, corrections, { "replacedBy.month": "2027-01" }),
    "is of another tenant or month",
  ],
  [
    "what replaces it replaces another one",
    "initech-2027-02",
    (at) => set(at, corrections, { "replacedBy.replaces.name": "INV-000077" }),
    "initech-2027-02-r2 does not say that it replaces initech-2027-02",
  ],
  [
    "what replaces it is kept quiet",
    "initech-2027-02",
    (at) => set(at, state, { replacedBy: undefined }),
    "initech-2027-02-r2, which replaces it, is not named by it",
  ],
];

test.each(HOSTILE)("where %s (%s), it is found", async (_, from, spoil, difference) => {
  const place = copyOf(from);
  spoil(place);

  const { code, out, err } = await weir("verify", place);

  expect(code).toBe(1);
  expect(`${out}${err}`).toContain(difference);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});
