import { Failure } from "../base/failure.ts";
import type { Log } from "../log/log.ts";

/** What the log says of it, and whose trouble it is. */
export type Trouble = { readonly message: string; readonly of: Readonly<Record<string, unknown>> };

/**
 * Does one's share of a round that is many's: a tenant's, a note's. Its trouble is said in the log and keeps nobody else waiting; the answer is undefined then.
 * A store that is away ends the round instead: everybody else's share would fail in the same way, and be logged as theirs.
 */
export async function isolated<T>(log: Log, { message, of }: Trouble, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure && error.code === "unavailable") throw error;
    log("error", message, { ...of, error });
    return undefined;
  }
}
