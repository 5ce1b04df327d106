/**
 * How a process is run that reads a month's rows. Of ten million of them 30 to 40 MiB are alive at any moment; left alone, V8 lets the young generation
 * grow to 96 MiB and garbage gather in proportion to the machine's memory, and malloc keeps an arena for each thread: over 400 MiB in all.
 */
export const ROWS_ENVIRONMENT: Readonly<Record<string, string>> = {
  NODE_OPTIONS: "--max-semi-space-size=8 --max-old-space-size=512",
  MALLOC_ARENA_MAX: "1",
};
