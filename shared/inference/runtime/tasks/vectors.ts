import type { Rows } from "../plan.ts";

/** torch's `F.normalize`: a vector of zeros stays one. */
const NORM_MIN = 1e-12;

/** Scales a vector to length 1, in place. */
export function normalize(vector: Float32Array): Float32Array {
  const norm = Math.max(NORM_MIN, Math.sqrt(dot(vector, vector)));
  for (let at = 0; at < vector.length; at += 1) vector[at] = (vector[at] ?? 0) / norm;
  return vector;
}

/** The texts' vectors with length 1, whatever the model's files say: between those, the cosine is the dot product. */
export const directionsOf = (rows: readonly Rows[]): Float32Array[] => rows.map(({ values }) => normalize(values.slice()));

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

/** Where a group of vectors points. */
export function centroidOf(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(vectors[0]?.length ?? 0);
  for (const vector of vectors) for (let at = 0; at < sum.length; at += 1) sum[at] = (sum[at] ?? 0) + (vector[at] ?? 0);
  return normalize(sum);
}

export type Relevance = {
  readonly vectors: readonly Float32Array[];
  /** What the chosen ones shall be near to. */
  readonly target: Float32Array;
  readonly count: number;
  /** 0 takes the nearest, 1 those least like what was taken before. */
  readonly diversity: number;
};

/** Maximal marginal relevance (Carbonell and Goldstein 1998; as KeyBERT's `mmr` does it): the indexes in order of choice. All vectors have length 1. */
export function chooseDiverse({ vectors, target, count, diversity }: Relevance): number[] {
  const nearness = vectors.map((vector) => dot(vector, target));
  const likeness = vectors.map(() => Number.NEGATIVE_INFINITY); // to the most alike of those taken
  const left = new Set(vectors.keys());
  const chosen: number[] = [];
  while (chosen.length < count && left.size > 0) {
    const worthOf = (index: number) =>
      chosen.length === 0 ? (nearness[index] ?? 0) : (1 - diversity) * (nearness[index] ?? 0) - diversity * (likeness[index] ?? 0);
    const best = [...left].reduce((most, index) => (worthOf(index) > worthOf(most) ? index : most));
    chosen.push(best);
    left.delete(best);
    const taken = vectors[best];
    for (const index of left) {
      const vector = vectors[index];
      if (taken !== undefined && vector !== undefined) likeness[index] = Math.max(likeness[index] ?? 0, dot(vector, taken));
    }
  }
  return chosen;
}
