import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** How many bytes, gzipped, a bundle loads at its start: `index.js` and what it imports, and not what it imports only when it is needed. */
export function gzippedAtStart(folder: string): number {
  return filesAtStart(folder).reduce((sum, file) => sum + gzipSync(readFileSync(join(folder, file)), { level: 9 }).byteLength, 0);
}

/** `import"./part.js"` and `from"./part.js"` as esbuild writes them; `import("./part.js")` is for later. */
const STATIC_IMPORT = /(?:\bfrom|\bimport)"\.\/([^"]+\.js)"/g;

function filesAtStart(folder: string): string[] {
  const seen = new Set(["index.js"]);
  for (const file of seen) for (const [, part = ""] of readFileSync(join(folder, file), "utf8").matchAll(STATIC_IMPORT)) seen.add(part);
  return [...seen];
}
