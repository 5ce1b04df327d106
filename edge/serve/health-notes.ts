import { LRUCache } from "lru-cache";
import type { Clock } from "../../shared/base/clock.ts";

/** What this process has seen of a version of late. One of which nothing is known is ready. */
export type VersionHealth = { readonly isReady: true } | { readonly isReady: false; readonly reason: string };

/**
 * Versions that functions have set aside as unhealthy, for those who ask whether a model is ready. In this process's memory only, and only as long as
 * the function said: whoever calls the version finds out by itself.
 */
export type HealthNotes = {
  readonly of: (model: string, version: number) => VersionHealth;
  /** Neither the version's pool nor a fallback answers for so long. */
  readonly setAside: (model: string, version: number, why: { readonly reason: string; readonly forMs: number }) => void;
  /** The version has been answered, wherever. */
  readonly answered: (model: string, version: number) => void;
};

const NOTES_MAX = 1_000;
const NOTE_MS_MAX = 300_000;
const REASON_CHARS_MAX = 300;

export function createHealthNotes(clock: Clock): HealthNotes {
  const notes = new LRUCache<string, { readonly reason: string; readonly untilMs: number }>({ max: NOTES_MAX });
  return {
    of(model, version) {
      const note = notes.get(keyOf(model, version));
      if (note === undefined || note.untilMs <= clock.nowMs()) return { isReady: true };
      return { isReady: false, reason: note.reason };
    },
    setAside(model, version, { reason, forMs }) {
      const untilMs = clock.nowMs() + Math.min(forMs, NOTE_MS_MAX);
      notes.set(keyOf(model, version), { reason: reason.slice(0, REASON_CHARS_MAX), untilMs });
    },
    answered(model, version) {
      if (notes.size > 0) notes.delete(keyOf(model, version));
    },
  };
}

function keyOf(model: string, version: number): string {
  return `${model}@${version}`;
}
