import { setTimeout as sleep } from "node:timers/promises";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Dynamo } from "../../shared/dynamo/client.ts";
import { DynamoRefusal, type LeanDynamo, type Operation } from "../../shared/dynamo/lean-client.ts";

const ATTEMPTS_MAX = 3;
const CALL_TIMEOUT_MS = 3_000;
const BACK_OFF_MS = 50;
const NOT_REPEATED = new Set(["ConditionalCheckFailedException", "ValidationException", "ResourceNotFoundException"]);

type Command = { readonly input: object; readonly constructor: { readonly name: string } };

/** The SDK's client over a link: its commands have the wire's own form, and it repeats what failed, as the SDK does. */
export function createSdkLink(link: LeanDynamo, tablePrefix: string): Dynamo {
  const client = {
    config: {},
    destroy: () => {},
    send: (command: Command) => send(link, command),
  };
  // Stores use `send` and `destroy` alone; whatever else they came to use would fail at once.
  return { client: client as unknown as DynamoDBClient, settings: { region: "eu-central-1", tablePrefix } };
}

async function send(link: LeanDynamo, command: Command): Promise<object> {
  const { input } = command;
  const operation = command.constructor.name.replace(/Command$/, "") as Operation; // the fake store says so if it is none
  const said = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await link.call<object>(operation, said, CALL_TIMEOUT_MS);
    } catch (cause) {
      const isFinal = cause instanceof DynamoRefusal && NOT_REPEATED.has(cause.name);
      if (isFinal || attempt === ATTEMPTS_MAX) throw asSdk(cause);
      await sleep(BACK_OFF_MS * 2 ** attempt);
    }
  }
}

/** What the service refuses has a `$fault`; what the network loses is a timeout. */
function asSdk(cause: unknown): unknown {
  if (cause instanceof DynamoRefusal) return Object.assign(cause, { $fault: "client" });
  return cause instanceof Error ? Object.assign(cause, { name: "TimeoutError" }) : cause;
}
