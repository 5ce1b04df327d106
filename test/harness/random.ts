/** Chance that can be repeated: the same seed gives the same draws on every machine. */
export type Random = {
  /** In [0, 1). */
  readonly next: () => number;
  /** An integer in [0, bound). */
  readonly below: (bound: number) => number;
  readonly pick: <T>(among: readonly [T, ...T[]] | readonly T[]) => T;
  readonly chance: (share: number) => boolean;
  /** Another source that follows from this one's seed and a name, and disturbs it not. */
  readonly fork: (name: string) => Random;
};

/** The generator sfc32, whose 128 bits of state are spread from the seed. */
export function createRandom(seed: number | string): Random {
  const text = String(seed);
  const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1].map((word, place) => spread(word, `${place} ${text}`));
  const next = () => step(state) / 2 ** 32;
  for (let warm = 0; warm < 12; warm += 1) next();
  return {
    next,
    below: (bound) => Math.floor(next() * bound),
    pick(among) {
      if (among.length === 0) throw new Error("nothing to pick from");
      return among[Math.floor(next() * among.length)] as (typeof among)[number]; // the place is within
    },
    chance: (share) => next() < share,
    fork: (name) => createRandom(`${text}/${name}`),
  };
}

function step(state: number[]): number {
  const [a = 0, b = 0, c = 0, count = 0] = state;
  const sum = (a + b + count) | 0;
  state[0] = b ^ (b >>> 9);
  state[1] = (c + (c << 3)) | 0;
  state[2] = (((c << 21) | (c >>> 11)) + sum) | 0;
  state[3] = (count + 1) | 0;
  return sum >>> 0;
}

function spread(word: number, text: string): number {
  let mixed = word;
  for (const character of text) mixed = Math.imul(mixed ^ character.charCodeAt(0), 0x01000193);
  return mixed;
}
