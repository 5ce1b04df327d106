/** One thing that was computed anew; `differences` is empty when it is as the invoice says. */
export type Check = { readonly name: string; readonly count: number; readonly differences: readonly string[] };

/** So many differences are told of a check; of a wrong month all buckets would differ. */
const DIFFERENCES_MAX = 20;

export function startCheck(name: string) {
  const differences: string[] = [];
  const check = {
    count: 0,
    add(difference: string) {
      if (differences.length < DIFFERENCES_MAX) differences.push(difference);
    },
    done: (): Check => ({ name, count: check.count, differences }),
  };
  return check;
}
