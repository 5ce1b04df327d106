import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { systemClock } from "../../shared/base/clock.ts";
import { createTables } from "../../shared/dynamo/create-tables.ts";
import type { SdkDynamo } from "../../shared/dynamo/sdk.ts";
import { refuseTakenAddress, urlOfGateway } from "./address.ts";
import type { LocalConfig } from "./config.ts";
import { createLocalDynamo } from "./dynamo.ts";
import {
  balancesPart,
  caretakerPart,
  dynamoPart,
  gatewayPart,
  inferencePart,
  intakePart,
  invoicingPart,
  s3Part,
  sealerPart,
  urlOf,
  webhooksPart,
  workDirIn,
} from "./parts.ts";
import { endOrphans } from "./parts-file.ts";
import { openSecrets, type Secrets } from "./secrets.ts";
import { setUp } from "./set-up.ts";
import { openState, type StateFolder } from "./state.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";
import { welcome } from "./welcome.ts";

export type Platform = {
  /** Starts everything and says so; resolves when all has been drained after `stopping` was aborted. */
  readonly run: (stopping: AbortSignal) => Promise<void>;
  /** Ends everything at once. */
  readonly kill: () => void;
};

type Machine = { readonly config: LocalConfig; readonly folder: StateFolder; readonly supervisor: Supervisor };
type Running = { readonly url: string; readonly port: number; readonly dynamo: SdkDynamo };

/** Takes hold of the state folder; refuses with one line what cannot be started from. */
export function openPlatform(config: LocalConfig): Platform {
  const folder = openState(config.stateDir, systemClock.nowMs());
  const supervisor = createSupervisor({ partsPath: folder.path("parts.json"), say });
  const kill = () => {
    supervisor.kill();
    folder.release();
  };
  return { run: (stopping) => run({ config, folder, supervisor }, stopping), kill };
}

async function run(machine: Machine, stopping: AbortSignal) {
  const stopped = once(stopping, "abort");
  try {
    // What is still being started when the signal comes is drained like the rest; the supervisor starts nothing more then.
    await Promise.race([stopped, start(machine)]);
    await stopped;
    say("Stopping: what has begun is finished first. Ctrl-C again ends at once.");
  } finally {
    await machine.supervisor.drain();
    machine.folder.release();
  }
}

async function start(machine: Machine) {
  const { config, folder } = machine;
  // In this order: a gateway that outlives its supervisor, for it drains or hangs, is what holds the address.
  await endOrphans(folder.path("parts.json"), say);
  await refuseTakenAddress(config);
  const secrets = openSecrets(folder);
  rmSync(workDirIn(folder.dir), { recursive: true, force: true });
  mkdirSync(workDirIn(folder.dir));
  const { url, port, dynamo } = await startParts(machine, secrets);
  const { demoKey } = await setUp({ folder, secrets, dynamo, url, say });
  await dynamo.close();
  process.stdout.write(welcome({ url, key: demoKey, stateDir: folder.dir }));
  // For a program that started this one and wants to know.
  process.send?.({ ready: true, port });
}

async function startParts({ config, folder, supervisor }: Machine, secrets: Secrets): Promise<Running> {
  const [dynamoUrl, s3Url] = await urls([
    supervisor.start("stores", dynamoPart(folder.dir)),
    supervisor.start("stores", s3Part(folder.dir)),
  ]);
  const dynamo = createLocalDynamo(dynamoUrl);
  await createTables(dynamo);
  const doors = { dynamoUrl, s3Url };
  const [inferenceUrl, intakeUrl] = await urls([
    supervisor.start("functions", inferencePart(folder.dir, doors)),
    supervisor.start("functions", intakePart(folder.dir, doors)),
  ]);
  const timers = [sealerPart(doors), balancesPart(doors), invoicingPart(doors), webhooksPart(config, secrets, doors)];
  await Promise.all(timers.map((timer) => supervisor.start("functions", timer)));
  const port = await supervisor.start("gateway", gatewayPart(config, secrets, { ...doors, inferenceUrl, intakeUrl }));
  const url = urlOfGateway({ host: config.host, port });
  await supervisor.start("functions", caretakerPart(secrets, { ...doors, gatewayUrl: url }));
  return { url, port, dynamo };
}

async function urls(ports: [Promise<number>, Promise<number>]): Promise<[string, string]> {
  const [one, other] = await Promise.all(ports);
  return [urlOf(one), urlOf(other)];
}

function say(line: string) {
  process.stderr.write(`${line}\n`);
}
