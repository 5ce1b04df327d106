import { setTimeout as sleep } from "node:timers/promises";
import { composeDeps, composeRound } from "../../functions/invoicing/compose.ts";
import type { DocumentStore } from "../../shared/billing/invoices/document-store.ts";
import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import { createPatientLean } from "../../shared/dynamo/patient-lean.ts";
import type { Log } from "../../shared/log/log.ts";
import type { Round } from "../../shared/schedule/round.ts";
import { startTimer } from "../../shared/schedule/timer.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import { directLink, told, untilDone } from "./direct.ts";
import { CONFIG, TABLE_PREFIX } from "./gateway.ts";
import type { Weather } from "./store-link.ts";
import type { Machine, World } from "./world.ts";

const EVERY_MS = 30_000;

/** Documents by key, as the bucket has them. */
export type Bucket = Map<string, Uint8Array>;

type Invoicer = { readonly link: LeanDynamo; readonly documents: DocumentStore; readonly roundMsMax: number };

/** The product's own invoicing on a machine with its own timer. */
export function startInvoicer(machine: Machine, { link, documents, roundMsMax }: Invoicer) {
  const round = invoicerRound(createPatientLean(link), documents, () => {});
  startTimer({ name: machine.name, everyMs: EVERY_MS, roundTimeoutMs: roundMsMax, round, clock: machine.clock, log: () => {} });
}

/** Issues what can be issued by then; answers what it could not work on. */
export async function invoiceAt(store: FakeDynamo, bucket: Bucket, nowMs: number): Promise<readonly string[]> {
  const troubles: string[] = [];
  const log: Log = (_, message, fields) => void troubles.push(`${message}: ${told(fields)}`);
  const documents: DocumentStore = { put: async (key, bytes) => void bucket.set(key, bytes), get: async (key) => bucket.get(key) };
  await untilDone("invoicing function", invoicerRound(directLink(store, nowMs), documents, log), nowMs);
  return troubles;
}

/** The bucket as one machine sees it: it takes its time, and is away as often as the store is. */
export function bucketLink(world: World, bucket: Bucket, weather: () => Weather): DocumentStore {
  const { random } = world;
  const hop = async (share: number) => {
    await sleep(1 + random.below(30));
    if (random.chance(share)) throw new Error("the bucket did not answer");
  };
  return {
    async put(key, bytes) {
      await hop(weather().lostCall);
      bucket.set(key, bytes);
      await hop(weather().lostAnswer);
    },
    async get(key) {
      await hop(weather().lostCall);
      return bucket.get(key);
    },
  };
}

/** Without the typesetting, which costs more than all else and decides nothing. */
function invoicerRound(lean: LeanDynamo, documents: DocumentStore, log: Log): Round {
  const settings = { lean, tablePrefix: TABLE_PREFIX, schedule: CONFIG.WEIR_SHARDS, documents, log };
  const typeset = async ({ id, name }: { readonly id: string; readonly name: string | null }) => Buffer.from(`${id} as ${name}`);
  return composeRound(settings, { ...composeDeps(settings), pdf: { invoice: typeset, credit: typeset } });
}
