import { composeRound } from "../../functions/balances/compose.ts";
import { patientDynamo } from "../../shared/dynamo/client.ts";
import type { LeanDynamo } from "../../shared/dynamo/lean-client.ts";
import type { Log } from "../../shared/log/log.ts";
import { startTimer } from "../../shared/schedule/timer.ts";
import type { FakeDynamo } from "../harness/fake-dynamo/fake-dynamo.ts";
import { directLink, told, untilDone } from "./direct.ts";
import { CONFIG, TABLE_PREFIX } from "./gateway.ts";
import type { Machine } from "./world.ts";

const EVERY_MS = 25_000;

/** The product's own function that looks after balances, on a machine with its own timer. */
export function startAccountant(machine: Machine, { link, roundMsMax }: { link: LeanDynamo; roundMsMax: number }) {
  const round = accountantRound(link, () => {});
  startTimer({ name: machine.name, everyMs: EVERY_MS, roundTimeoutMs: roundMsMax, round, clock: machine.clock, log: () => {} });
}

/** Settles all leases that can be settled by then; answers what it could not work on. */
export async function settleAt(store: FakeDynamo, nowMs: number): Promise<readonly string[]> {
  const troubles: string[] = [];
  const log: Log = (_, message, fields) => void troubles.push(`${message}: ${told(fields)}`);
  const round = accountantRound(directLink(store, nowMs), log);
  // What the first settles is read again by the second.
  for (let count = 0; count < 2; count += 1) await untilDone("balances function", round, nowMs);
  return troubles;
}

function accountantRound(lean: LeanDynamo, log: Log) {
  return composeRound({ dynamo: patientDynamo(lean, TABLE_PREFIX), lean, schedule: CONFIG.WEIR_SHARDS, log });
}
