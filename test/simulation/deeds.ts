import { OPERATORS } from "../../shared/tenants/tenant.ts";
import type { Random } from "../harness/random.ts";
import { type Asked, ask, type Order } from "./caller.ts";
import type { Fleet } from "./fleet.ts";
import type { World } from "./world.ts";

/** What an operator does to an invoice by the admin API; the same words for the same id, whoever says them. */
export type Deed = {
  readonly kind: "pay" | "void" | "replace" | "credits" | "adjustments";
  readonly invoice: string;
  readonly body: { readonly id?: string; readonly reference?: string; readonly amountMinor?: string; readonly reason?: string };
};
export type Planned = { readonly atMs: number; readonly deed: Deed };

/** `done` and `refused`: so it was said, the latter again and again. `unknown`: nobody has said it. */
export type Done = { readonly deed: Deed; readonly outcome: "done" | "refused" | "unknown" };

const CREDITS = [{ id: "c-0", amountMinor: "1" }, { id: "c-1", amountMinor: "10" }, { id: "c-2" }];
const ADJUSTMENTS = [
  { id: "a-0", amountMinor: "13" },
  { id: "a-1", amountMinor: "29" },
];
const reason = "a history";
/** Of those who do something: two who do it at once. */
const TWICE_SHARE = 0.3;

type Draw = { readonly tenants: readonly string[]; readonly count: number; readonly withinMs: number };

/** Payments, credits, voids and replacements of a month's invoices, and adjustments of the next month's drafts. */
export function drawDeeds(random: Random, months: { readonly of: string; readonly next: string }, draw: Draw): Planned[] {
  // Where everything is done to every invoice, most of it is refused: some are taken back, and the others paid.
  const takenBack = new Set(draw.tenants.filter(() => random.chance(0.5)));
  return spread(random, draw, () => {
    const tenant = random.pick(draw.tenants);
    const first = `${tenant}-${months.of}`;
    if (random.chance(0.15)) return adjusting(random, `${tenant}-${months.next}`);
    if (!takenBack.has(tenant)) return paying(random, first);
    if (random.chance(0.3)) return paying(random, `${first}-r2`);
    return {
      kind: random.pick<Deed["kind"]>(["void", "replace", "replace"]),
      invoice: random.chance(0.8) ? first : `${first}-r2`,
      body: { reason },
    };
  });
}

function paying(random: Random, invoice: string): Deed {
  if (random.chance(0.15)) return { kind: "replace", invoice, body: { reason } }; // it stands, unless all of it was given back
  if (random.chance(0.3)) return { kind: "pay", invoice, body: { reference: `p-${random.below(2)}` } };
  return random.chance(0.05)
    ? { kind: "void", invoice, body: { reason } }
    : { kind: "credits", invoice, body: { ...random.pick(CREDITS), reason } };
}

/** Adjustments of a month's drafts, before it is closed. */
export function drawAdjusting(random: Random, month: string, draw: Draw): Planned[] {
  return spread(random, draw, () => adjusting(random, `${random.pick(draw.tenants)}-${month}`));
}

function adjusting(random: Random, invoice: string): Deed {
  return { kind: "adjustments", invoice, body: { ...random.pick(ADJUSTMENTS), reason } };
}

function spread(random: Random, { count, withinMs }: Draw, draw: () => Deed): Planned[] {
  return Array.from({ length: count }, () => ({ atMs: random.below(withinMs), deed: draw() })).flatMap((each) =>
    random.chance(TWICE_SHARE) ? [each, each] : [each],
  );
}

const ATTEMPTS_MAX = 40;
/** Somebody else may have been faster, or what it needs may not be there yet: who is refused reads it and asks again. */
const REFUSALS_MAX = 8;
const RETRY_MS_MAX = 20_000;

type Doing = { readonly fleet: Fleet; readonly operatorKey: string };

/** Does what was planned, each by itself; answers what was said to it. */
export function doAll(world: World, planned: readonly Planned[], doing: Doing): Promise<Done[]> {
  return Promise.all(
    planned.map(async ({ atMs, deed }) => {
      await world.wait(atMs);
      return doIt(world, deed, doing);
    }),
  );
}

async function doIt(world: World, deed: Deed, { fleet, operatorKey }: Doing): Promise<Done> {
  const order = orderOf(deed, operatorKey);
  let refusals = 0;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { ending, status = 0 }: Asked = await ask(world, world.random.pick(fleet), order);
    if (ending === "answered") return { deed, outcome: "done" };
    if (ending === "refused" && (status === 404 || status === 409)) refusals += 1;
    if (refusals === REFUSALS_MAX) return { deed, outcome: "refused" };
    await world.wait(world.random.below(RETRY_MS_MAX));
  }
  return { deed, outcome: "unknown" };
}

function orderOf({ kind, invoice, body }: Deed, key: string): Order {
  const path = `/admin/invoices/${invoice}/${kind}`;
  return { tenant: OPERATORS, key, path, body: JSON.stringify(body), idempotencyKey: undefined, isStream: false, readingMs: 1 };
}
