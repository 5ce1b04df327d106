/** What a process waits for at each of its calls to a store: before it is done, and when it was. */
export type Gate = { readonly before: (call: string) => Promise<void>; readonly after: (call: string) => Promise<void> };

/** For who is never killed. */
export const OPEN: Gate = { before: async () => {}, after: async () => {} };

/** Where a process dies: at its n-th call, before that is done or just after. */
export type Kill = { readonly call: number; readonly when: "before" | "after" };

/** Reads leave nothing behind: dying after one is dying before the next call. */
export const isWrite = (call: string) => /^(Put|Update|Delete|Batch)/.test(call);

/**
 * Runs what a process does until it is over or is killed: from then on no call of it comes back, so that nothing of it runs on, not even what it would
 * do about an error. Answers the calls that it made.
 */
export async function runUntilKilled(work: (gate: Gate) => Promise<unknown>, kill?: Kill): Promise<readonly string[]> {
  const calls: string[] = [];
  const forever = new Promise<never>(() => {});
  let isDead = false;
  let die = () => {};
  const killed = new Promise<void>((resolve) => {
    die = () => {
      isDead = true;
      resolve();
    };
  });
  const pass = async (isHere: boolean) => {
    if (isHere) die();
    if (isDead) await forever;
  };
  const gate: Gate = {
    before: async (call) => {
      if (!isDead) calls.push(call);
      await pass(calls.length === kill?.call && kill.when === "before");
    },
    after: () => pass(calls.length === kill?.call && kill.when === "after"),
  };
  await Promise.race([work(gate), killed]);
  return calls;
}
