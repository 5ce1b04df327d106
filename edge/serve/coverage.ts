import type { Checkpoint } from "../../shared/usage/ledger/ledger.ts";

/** Tokens of each choice that a stream may be ahead of what it has delivered: so much, and no more, is billed too much when this process dies. */
export const CHECKPOINT_TOKENS = 64;
/** What nobody has renewed for so long expires: billed as far as it was covered. */
export const ROW_LIFE_MS = 60_000;
/** A third of a row's life, so that two renewals may fail. */
const RENEWAL_MS = ROW_LIFE_MS / 3;
/** One that was under way may have covered less than is asked for by now. */
const ATTEMPTS_MAX = 2;

/** How far a request has come. */
export type Counts = Omit<Checkpoint, "expiresInMs">;

/** How much of a stream's output a pending row covers: what is not covered may not leave. */
export type Coverage = {
  /** Covers what comes first, in the background: called when work begins, long before there is output. */
  readonly prepare: (counts: Counts) => void;
  /** Undefined if output up to there may leave at once; else it may when this resolves. The next checkpoint is on its way when half of one is used. */
  readonly cover: (counts: Counts) => Promise<void> | undefined;
  readonly close: () => void;
};

export type CoverageSettings = {
  readonly checkpoint: (checkpoint: Checkpoint) => Promise<void>;
  readonly choices: number;
  /** Of all choices together: what a request cannot bring is not covered either. */
  readonly outputTokensMax: number;
};

export function createCoverage({ checkpoint, choices, outputTokensMax }: CoverageSettings): Coverage {
  const ahead = CHECKPOINT_TOKENS * choices;
  let [covered, isClosed] = [0, false];
  let latest: Counts | undefined;
  let pending: Promise<void> | undefined;
  let renewal = setTimeout(renew, RENEWAL_MS).unref();

  const start = (counts: Counts) => write(counts, Math.max(covered, Math.min(outputTokensMax, counts.outputTokens + ahead)));

  function write(counts: Counts | undefined, outputTokens: number): Promise<void> {
    clearTimeout(renewal);
    pending = checkpoint({ ...counts, outputTokens, expiresInMs: ROW_LIFE_MS })
      .then(() => {
        covered = outputTokens;
      })
      .finally(() => {
        pending = undefined;
        if (!isClosed) renewal = setTimeout(renew, RENEWAL_MS).unref();
      });
    pending.catch(() => {}); // whoever waits for it is told; in the background another attempt follows
    return pending;
  }

  /** Work that takes long without any output is alive all the same. */
  function renew() {
    if (pending === undefined) void write(latest, covered);
  }

  async function reach(counts: Counts, needed: number) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await (pending ?? start(counts));
      } catch (cause) {
        if (attempt === ATTEMPTS_MAX) throw cause;
      }
      if (needed <= covered) return;
    }
  }

  return {
    prepare(counts) {
      if (covered === 0 && outputTokensMax > 0 && pending === undefined) void start(counts);
    },
    cover(counts) {
      latest = counts;
      const needed = Math.min(outputTokensMax, Math.max(1, counts.outputTokens));
      const isHalfUsed = covered < outputTokensMax && covered - counts.outputTokens <= ahead / 2;
      if (isHalfUsed && pending === undefined && needed <= covered) void start(counts);
      return needed <= covered ? undefined : reach(counts, needed);
    },
    close() {
      isClosed = true;
      clearTimeout(renewal);
    },
  };
}
