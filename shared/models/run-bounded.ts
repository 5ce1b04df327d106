/** Works through all items, at most `atOnceMax` of them at a time. After a failure no further item is begun, and it is thrown when the begun ones have ended. */
export async function runBounded<T>(items: readonly T[], atOnceMax: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const item of rest) {
      await work(item).catch((cause: unknown) => failures.push(cause));
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
}
