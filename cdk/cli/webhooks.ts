import type { Command } from "commander";
import { everyItem } from "../../shared/clients/http.ts";
import type { DeliveryReport } from "../../shared/events/delivery.ts";
import { EventType } from "../../shared/events/event.ts";
import type { WebhookRevision, WebhookWithSecret } from "../../shared/events/webhook.ts";
import type { CliContext } from "./context.ts";
import { table } from "./output.ts";
import { UsageError } from "./usage-error.ts";

/** A tenant's key manages its tenant's webhooks; with `--operators`, an operator's key those that hear of every tenant. */
export function registerWebhookCommands(program: Command, context: CliContext) {
  const webhooks = program
    .command("webhooks")
    .description("where events are sent")
    .option("--operators", "the operators' webhooks, which hear of every tenant (default: the key's own tenant's)");
  const client = () => (webhooks.opts<{ operators?: true }>().operators ? context.admin().webhooks : context.tenant().webhooks);
  webhooks
    .command("create <url>")
    .description("make a webhook; its secret is shown once")
    .option("--event <type...>", `only these: ${EventType.options.join(", ")} (default: all)`)
    .option("--description <text>", "for people")
    .action(async (url: string, { event = [], description }: { event?: string[]; description?: string }) => {
      const body = { url, eventTypes: typesOf(event), ...(description === undefined ? {} : { description }) };
      context.output.print(await client().create(body), renderSecret);
    });
  webhooks
    .command("list")
    .description("list webhooks")
    .action(async () => context.output.print(await everyItem(client().list), render));
  webhooks
    .command("rotate <id>")
    .description("make a new secret; for 24 hours the old one signs beside it")
    .action(async (id: string) => context.output.print(await client().rotate(id), renderSecret));
  webhooks
    .command("test <id>")
    .description("send a test event")
    .action(async (id: string) => context.output.print(await client().test(id), (delivery) => renderDeliveries([delivery])));
  webhooks
    .command("delete <id>")
    .description("end a webhook")
    .action(async (id: string) => context.output.print(await client().remove(id), (webhook) => render([webhook])));
  webhooks
    .command("deliveries <id>")
    .description("list what was sent in 30 days, and what became of it")
    .action(async (id: string) => context.output.print(await everyItem((page) => client().deliveries(id, page)), renderDeliveries));
  webhooks
    .command("replay <id> <event>")
    .description("send a delivery again that was delivered or is dead")
    .action(async (id: string, event: string) =>
      context.output.print(await client().replay(id, event), (delivery) => renderDeliveries([delivery])),
    );
}

function typesOf(texts: readonly string[]): EventType[] {
  return texts.map((text) => {
    const type = EventType.safeParse(text);
    if (!type.success) throw new UsageError(`There is no event type '${text}': there are ${EventType.options.join(", ")}.`);
    return type.data;
  });
}

function renderSecret({ secret, ...webhook }: WebhookWithSecret): string {
  return `${render([webhook])}\n\nThe secret, which is shown only now: ${secret}`;
}

function render(webhooks: readonly WebhookRevision[]): string {
  return table(
    ["ID", "URL", "EVENTS", "SECRET", "DESCRIPTION"],
    webhooks.map(({ id, url, eventTypes, secretNumber, description }) => [
      id,
      url,
      eventTypes.join(" ") || "all",
      `no. ${secretNumber}`,
      description,
    ]),
  );
}

function renderDeliveries(deliveries: readonly DeliveryReport[]): string {
  return table(
    ["EVENT", "TYPE", "TENANT", "STATE", "ATTEMPTS", "OUTCOME", "NEXT ATTEMPT"],
    deliveries.map(({ event, type, tenant, state, attempts, outcome, nextAttemptAt }) => [
      ...[event, type, tenant, state, attempts, outcome],
      nextAttemptAt ?? "none",
    ]),
  );
}
