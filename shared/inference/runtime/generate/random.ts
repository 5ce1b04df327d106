const WARM_UP_ROUNDS = 16;
const HIGH_BITS = 2 ** 26;
const UNIT = 2 ** 53;
const WORD = 2 ** 32;

/**
 * Numbers in [0, 1) that a seed and a choice decide alone: sfc32 (Chris Doty-Humphrey, PractRand). Each choice has its own, so what else runs
 * never moves it.
 */
export function createRandom(seed: number, choice: number): () => number {
  const words = new Uint32Array([seed % WORD, Math.floor(seed / WORD), choice, 1]);
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) next(words);
  return () => {
    const high = next(words) >>> 5;
    const low = next(words) >>> 6;
    return (high * HIGH_BITS + low) / UNIT;
  };
}

function next(words: Uint32Array): number {
  const [a = 0, b = 0, c = 0, counter = 0] = words;
  const sum = (a + b + counter) >>> 0;
  words[0] = b ^ (b >>> 9);
  words[1] = c + (c << 3);
  words[2] = ((c << 21) | (c >>> 11)) + sum;
  words[3] = counter + 1;
  return sum;
}
