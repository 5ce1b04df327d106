import { readFileSync } from "node:fs";
import { systemCodeOf } from "./refusal.ts";

/** A text that two processes never share, even if the system gave both the same pid; undefined if no living process has the pid. */
export function identityOf(pid: number): string | undefined {
  if (!isSignalable(pid)) return undefined;
  const stat = statOf(pid);
  // Systems without /proc tell only that the pid is in use.
  if (stat === undefined) return `${pid}`;
  // proc_pid_stat(5): the name in parentheses may hold anything; after it come the state and, 19 fields on, the start time.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" ? undefined : `${pid}@${rest[18]}`;
}

/** Ends a part and everything that it started: each part leads a process group of its own. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (systemCodeOf(error) !== "ESRCH") throw error;
  }
}

function isSignalable(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === "EPERM";
  }
}

function statOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
}
