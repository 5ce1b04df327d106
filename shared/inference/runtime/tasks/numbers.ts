/** Less the largest, or the exponential of a large logit would be infinite. Plain loops: it runs over whole vocabularies, and callbacks cost it half. */
export function softmax(logits: ArrayLike<number>): Float64Array {
  const scores = new Float64Array(logits.length);
  let largest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < scores.length; at += 1) largest = Math.max(largest, logits[at] ?? 0);
  let sum = 0;
  for (let at = 0; at < scores.length; at += 1) {
    const score = Math.exp((logits[at] ?? 0) - largest);
    scores[at] = score;
    sum += score;
  }
  for (let at = 0; at < scores.length; at += 1) scores[at] = (scores[at] ?? 0) / sum;
  return scores;
}

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** The index of the largest, the first of equals (NumPy, `argmax`). */
export function indexOfLargest(values: ArrayLike<number>): number {
  let best = 0;
  for (let at = 1; at < values.length; at += 1) if ((values[at] ?? 0) > (values[best] ?? 0)) best = at;
  return best;
}

/** The indexes of the `count` largest values, the largest first and equals in their order. */
export function indexesOfLargest(values: ArrayLike<number>, count: number): number[] {
  const chosen: number[] = [];
  const valueAt = (index: number | undefined) =>
    index === undefined ? Number.NEGATIVE_INFINITY : (values[index] ?? Number.NEGATIVE_INFINITY);
  for (let index = 0; index < values.length; index += 1) {
    if (chosen.length === count && valueAt(index) <= valueAt(chosen.at(-1))) continue;
    let at = chosen.length;
    while (at > 0 && valueAt(chosen[at - 1]) < valueAt(index)) at -= 1; // a few steps: most values are below the last chosen
    chosen.splice(at, 0, index);
    if (chosen.length > count) chosen.pop();
  }
  return chosen;
}
