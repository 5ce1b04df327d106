/** What was compiled before, for the next request with the same schema. */
export type KeptGrammars<Compiled> = {
  readonly get: (key: string) => Compiled | undefined;
  readonly put: (key: string, compiled: Compiled) => void;
  readonly clear: () => void;
};

export type KeptLimits = {
  readonly countMax: number /** Of the effort (effort.ts) of all together, which stands for their memory. */;
  readonly stepsMax: number;
};

/** Lets go of what was not asked for the longest. */
export function createKeptGrammars<Compiled extends { readonly steps: number }>({
  countMax,
  stepsMax,
}: KeptLimits): KeptGrammars<Compiled> {
  /** A map lists its entries in the order of their arrival. */
  const kept = new Map<string, Compiled>();
  let steps = 0;

  function remove(key: string): void {
    steps -= kept.get(key)?.steps ?? 0;
    kept.delete(key);
  }

  function put(key: string, compiled: Compiled): void {
    remove(key);
    kept.set(key, compiled);
    steps += compiled.steps;
    for (const oldest of kept.keys()) {
      if (kept.size <= countMax && steps <= stepsMax) return;
      remove(oldest);
    }
  }

  return {
    put,
    get(key) {
      const compiled = kept.get(key);
      if (compiled !== undefined) put(key, compiled);
      return compiled;
    },
    clear() {
      kept.clear();
      steps = 0;
    },
  };
}
