import type { CredentialSource } from "../aws/credentials.ts";
import type { Clock } from "../base/clock.ts";
import { createLeanDynamo, type LeanDynamo } from "./lean-client.ts";
import { createPatientLean } from "./patient-lean.ts";

export type DynamoSettings = {
  readonly region: string;
  /** Names every table: `weir` gives `weir-control`. */
  readonly tablePrefix: string;
  /** An emulator's URL; absent, the Region's own endpoint. */
  readonly endpoint?: string | undefined;
  /** Absent, the SDK's own chain. */
  readonly credentials?: CredentialSource;
};

/**
 * What the control plane's stores are made of: a client that tries again what the store cannot do now, and in the end says `unavailable`; and what
 * stands before the names of the installation's tables.
 */
export type Dynamo = { readonly lean: LeanDynamo; readonly tablePrefix: string };

/** How long the control plane waits for one answer. */
export const CONTROL_TIMEOUT_MS = 3_000;
const ATTEMPTS_MAX = 3;
/** Apart from the hot path's, so that lists and histories do not stand in its way. */
const CONNECTIONS_MAX = 32;

/** The control plane's over connections of its own. */
export function createDynamo(settings: DynamoSettings, clock: Clock): Dynamo {
  return patientDynamo(createLeanDynamo({ ...settings, connections: CONNECTIONS_MAX }, clock), settings.tablePrefix);
}

/** Both clients of a process: the control plane's, and one that does not try again, for callers with rules of their own. */
export function openDynamo(settings: DynamoSettings, clock: Clock) {
  const dynamo = createDynamo(settings, clock);
  const lean = createLeanDynamo(settings, clock);
  return { dynamo, lean, close: async () => void (await Promise.all([lean.close(), dynamo.lean.close()])) };
}

/** The control plane's over a client that is there: a caller waits, so it is asked a few times only. */
export function patientDynamo(lean: LeanDynamo, tablePrefix: string): Dynamo {
  return { lean: createPatientLean(lean, { attemptsMax: ATTEMPTS_MAX }), tablePrefix };
}
