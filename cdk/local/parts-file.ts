import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { readPrivateJson, writePrivateJson } from "./private-file.ts";
import { identityOf, killGroup } from "./process-identity.ts";

/** How long the parts of a supervisor that was killed may take to end by themselves. */
export const ORPHAN_WAIT_MS_MAX = 20_000;
const ORPHAN_POLL_MS = 50;

/** `parts.json`: which process each part is now; its port is there once it listens. */
export const Parts = z.record(z.string(), z.object({ pid: z.int(), identity: z.string(), port: z.int().optional() }));
export type Parts = z.infer<typeof Parts>;

export type PartsFile = { readonly record: (name: string, run: { pid?: number | undefined; port?: number | undefined }) => void };

export function createPartsFile(path: string): PartsFile {
  const parts: Parts = {};
  return {
    record: (name, { pid, port }) => {
      const identity = pid === undefined ? undefined : identityOf(pid);
      if (pid === undefined || identity === undefined) delete parts[name];
      else parts[name] = { pid, identity, ...(port === undefined ? {} : { port }) };
      writePrivateJson(path, parts);
    },
  };
}

/** After a supervisor was killed: waits until its parts have drained and gone, for they still hold the stores, and ends those that do not go. */
export async function endOrphans(path: string, say: (line: string) => void): Promise<void> {
  const orphans = Object.values(readPrivateJson(path, Parts, "delete it") ?? {});
  const isAlive = (part: { pid: number; identity: string }) => identityOf(part.pid) === part.identity;
  if (orphans.some(isAlive)) say("Waiting for what is left of the last run to end.");
  for (let waitedMs = 0; waitedMs < ORPHAN_WAIT_MS_MAX && orphans.some(isAlive); waitedMs += ORPHAN_POLL_MS) await sleep(ORPHAN_POLL_MS);
  for (const part of orphans.filter(isAlive)) killGroup(part.pid);
}
