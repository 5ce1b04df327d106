import { type Command, InvalidArgumentError } from "commander";
import type { TenantBilling } from "../../shared/billing/tenant-billing.ts";
import type { TenantRevision } from "../../shared/tenants/tenant.ts";
import type { CliContext } from "./context.ts";
import { printable, table } from "./output.ts";

const ALERT_PERCENTS = [50, 80, 100] as const;

type BillOptions = {
  readonly discountBps?: number;
  readonly taxRateBps?: number;
  readonly billedTo?: string;
  readonly address?: string[];
  readonly taxId?: string;
  readonly prepaid?: boolean;
  readonly budget?: string;
  readonly why?: string;
};

export function registerBillCommand(tenants: Command, context: CliContext) {
  tenants
    .command("bill <id> <book>")
    .description("bill a tenant by a price book; what else is known of its billing stays")
    .option("--discount-bps <bps>", "off all that the book charges, in 1/10,000", parseBps)
    .option("--tax-rate-bps <bps>", "of the total, in 1/10,000", parseBps)
    .option("--billed-to <name>", "who stands on invoices, if that is not the tenant's name")
    .option("--address <lines...>", "where they go, line by line")
    .option("--tax-id <id>", "of whoever is billed")
    .option("--prepaid", "serve the tenant from a balance, and refuse what it does not cover")
    .option("--no-prepaid", "send invoices for what is used from now on")
    .option("--budget <amount>", "tell webhooks at 50, 80 and 100 % of so much a month")
    .option("--why <reason>", "kept in the history")
    .action(async (id: string, priceBook: string, options: BillOptions) => {
      const { billing, revision } = await context.admin().tenants.show(id);
      const changed = { discountBps: 0, taxRateBps: 0, ...billing, priceBook, ...changesOf(options, billing) };
      const why = options.why === undefined ? {} : { why: options.why };
      // It holds what was read: what somebody else has said since would be taken back unseen.
      const tenant = await context.admin().tenants.bill(id, { ...changed, ...why }, revision.number);
      context.output.print(tenant, renderBilling);
    });
}

/** What an option does not say stays as it is. */
function changesOf(options: BillOptions, before: TenantBilling | undefined): Partial<TenantBilling> {
  const { billedTo: name, prepaid: isPrepaid, budget: amount, discountBps, taxRateBps, address, taxId } = options;
  const budget = amount === undefined ? undefined : { alertPercents: [...ALERT_PERCENTS], ...before?.budget, amount };
  const said = { discountBps, taxRateBps, name, address, taxId, isPrepaid, budget };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

/** Who is billed, and how; on the lines of an invoice's head. */
export function renderBilling({ id, name, billing }: TenantRevision): string {
  if (billing === undefined) return `${id} is not billed: nothing of it has a price`;
  const { budget, address = [], taxId } = billing;
  const rows = [
    ["prices", billing.priceBook],
    ["discount", `${billing.discountBps / 100} %`],
    ["tax", `${billing.taxRateBps / 100} %`],
    ["paid", billing.isPrepaid === true ? "before, from a balance" : "afterwards, by invoice"],
    ["billed to", [billing.name ?? name, ...address].join(", ")],
    ...(taxId === undefined ? [] : [["tax id", taxId]]),
    ...(budget === undefined ? [] : [["budget", `${budget.amount} a month, told at ${budget.alertPercents.join(", ")} %`]]),
  ];
  return table(["BILLING", printable(id)], rows);
}

function parseBps(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of 1/10,000.");
  return Number(text);
}
