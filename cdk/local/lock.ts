import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as z from "zod";
import { identityOf } from "./process-identity.ts";
import { StartRefusal, systemCodeOf } from "./refusal.ts";

const TAKEOVERS_MAX = 3;

const Holder = z.object({ pid: z.int().positive(), identity: z.string() });

/**
 * Makes this process the only one that uses a state folder; returns what gives it back.
 * A lock whose process is gone is taken over. (Two that take over in the same moment are parted by LevelDB's own lock.)
 */
export function acquireLock(path: string): () => void {
  for (let takeovers = 0; takeovers <= TAKEOVERS_MAX; takeovers += 1) {
    if (putIfAbsent(path)) return releaseOnce(path);
    refuseIfHeld(path);
    rmSync(path, { force: true });
  }
  throw new StartRefusal(`${path} is taken again and again by others: is Weir being started many times at once?`);
}

/** Once it is given back, the lock may be another's. */
function releaseOnce(path: string): () => void {
  let isHeld = true;
  return () => {
    if (isHeld) rmSync(path, { force: true });
    isHeld = false;
  };
}

/** A link appears with its whole content or not at all, so nobody reads half a lock. */
function putIfAbsent(path: string): boolean {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify({ pid: process.pid, identity: identityOf(process.pid) }), { mode: 0o600 });
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function refuseIfHeld(path: string) {
  const holder = holderOf(path);
  const isHeld = holder !== undefined && holder.pid !== process.pid && identityOf(holder.pid) === holder.identity;
  if (!isHeld) return;
  throw new StartRefusal(`another Weir (pid ${holder.pid}) is using this state: stop it, or choose another folder with WEIR_STATE_DIR`);
}

function holderOf(path: string): z.infer<typeof Holder> | undefined {
  try {
    return Holder.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // Released in this moment, or no lock of ours: both mean that no living process holds it.
    return undefined;
  }
}
