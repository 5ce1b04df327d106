import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ROWS_ENVIRONMENT } from "../../shared/schedule/process.ts";

const FEW = 1_000_000;
const MANY = 10_000_000;
const BAR = 0.9;

type Measured = { seconds: number; heapMib: number; rssMib: number; state: string; totalMinor: string };

/**
 * A whole round of invoicing over a month of ten million rows of one tenant, priced row by row, and over one of a million: reading, digests, rating, evidence,
 * number and documents are the product's, rows are made as they are read, and the processes run as the deployed one does. The ratio is of the memory that the two took at most: 1 is flat.
 */
export async function benchInvoicing(): Promise<void> {
  const [few, many] = [await measure(FEW), await measure(MANY)];
  console.table(
    [few, many].map(({ seconds, heapMib, rssMib, totalMinor }, place) => ({
      rows: place === 0 ? FEW : MANY,
      seconds: Math.round(seconds),
      "peak heap, MiB": Math.round(heapMib),
      "peak memory, MiB": Math.round(rssMib),
      "invoice, minor units": totalMinor,
    })),
  );
  console.log(`bench invoicing ratio=${(few.rssMib / many.rssMib).toFixed(2)} bar=${BAR}`);
}

/** Each in a process of its own: memory at most is never given back. */
async function measure(rows: number): Promise<Measured> {
  const part = fork(fileURLToPath(new URL("./parts/invoicing-round.ts", import.meta.url)), [String(rows)], {
    env: { ...process.env, ...ROWS_ENVIRONMENT },
  });
  const ended = once(part, "exit");
  const [measured] = await Promise.race([once(part, "message") as Promise<[Measured]>, ended.then(() => [undefined])]);
  if (measured?.state !== "issued") throw new Error(`the month of ${rows} rows was not issued`);
  await ended;
  return measured;
}
