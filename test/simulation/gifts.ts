import { type Asked, ask, type Order } from "./caller.ts";
import type { Gateway } from "./gateway.ts";
import { PREPAID } from "./seed-store.ts";
import type { World } from "./world.ts";

/** Credits that an operator gives to the prepaid tenant, or takes from it: again and again until somebody says what came of it. */
export type Gift = {
  readonly id: string;
  /** A decimal; below zero for what is taken. */
  readonly amount: string;
  readonly livesMs: number | undefined;
  readonly priority: number;
};

/** `given` and `refused`: so it was said. `unknown`: nobody has said it. */
export type Given = { readonly gift: Gift; readonly outcome: "given" | "refused" | "unknown" };

const ATTEMPTS_MAX = 40;
const RETRY_MS_MAX = 20_000;
/** What is given cannot be had (400, 404, 409, 422): asking again would not help. */
const isFinal = (status: number | undefined) => status !== undefined && status < 500 && status !== 408 && status !== 429 && status !== 401;

type Giving = { readonly fleet: readonly (Gateway | undefined)[]; readonly gift: Gift; readonly operatorKey: string };

export async function give(world: World, { fleet, gift, operatorKey }: Giving): Promise<Given> {
  const order = orderOf(gift, { atMs: world.nowMs(), operatorKey });
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { ending, status }: Asked = await ask(world, world.random.pick(fleet), order);
    if (ending === "answered") return { gift, outcome: "given" };
    if (ending === "refused" && isFinal(status)) return { gift, outcome: "refused" };
    await world.wait(world.random.below(RETRY_MS_MAX));
  }
  return { gift, outcome: "unknown" };
}

function orderOf({ id, amount, livesMs, priority }: Gift, { atMs, operatorKey }: { atMs: number; operatorKey: string }): Order {
  const isTaking = amount.startsWith("-");
  const expiresAt = livesMs === undefined ? {} : { expiresAt: new Date(atMs + livesMs).toISOString() };
  const body = { id, amount, why: "a history", ...(isTaking ? {} : { priority, ...expiresAt }) };
  return {
    tenant: PREPAID,
    key: operatorKey,
    path: `/admin/balances/${PREPAID}/${isTaking ? "adjustments" : "grants"}`,
    body: JSON.stringify(body),
    idempotencyKey: undefined,
    isStream: false,
    readingMs: 1,
  };
}
