import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, buildSync } from "esbuild";

/** `index.js` is what the runtime starts. */
const ENTRY = { index: pathOf("../edge/main.web-function.ts") };
/** Roots of the edge tier's threads, under the names that their starters look for beside themselves. */
const THREAD_ENTRIES = {
  "main.thread": pathOf("../edge/wasm/main.thread.ts"),
  "main.coder": pathOf("../shared/inference/engine/main.coder.ts"),
  "main.template": pathOf("../shared/inference/engine/main.template.ts"),
};
/** What those compile ONNX Runtime from. */
const WASM_FILE = "ort-wasm-simd-threaded.wasm";

/** Folder beside the bundle with swagger-ui's files, for /docs. */
export const DOCS_FOLDER = "docs";
const DOCS_FILES = ["swagger-ui.css", "swagger-ui-bundle.js"];
/** Typefaces of invoices and credit notes, with the notice that belongs to each copy of them. */
const FONT_FILES = ["ttf/DejaVuSansCondensed.ttf", "ttf/DejaVuSansCondensed-Bold.ttf", "LICENSE"];

/**
 * How the bundle's process is run. A Web Function is billed for the memory that it holds: left alone, V8 lets the young generation grow
 * to 128 MiB, garbage gather in proportion to the machine's memory, and malloc keep an arena for each thread: 260 MiB in all after load,
 * of which 21 MiB are alive. The old generation's limit is what edge/limits.ts lets requests hold at once, five times over while they are parsed.
 */
export const PROCESS_ENVIRONMENT: Readonly<Record<string, string>> = {
  NODE_ENV: "production",
  NODE_OPTIONS: "--max-semi-space-size=8 --max-old-space-size=768",
  MALLOC_ARENA_MAX: "1",
};

// Dependencies that are CommonJS ask for Node's own modules by `require`, which a module has to make for itself.
const BANNER = 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);';

/** undici asks for it when it is loaded, whether it is wanted or not: an empty module beside the bundle stands for it. Every client here says `allowH2: false`. */
const HTTP2 = "./client-h2.js";

/**
 * Bundles the gateway for a Lambda Web Function: `index.js` with what it loads at its start, the edge tier, which it loads when it is first called,
 * and the pages' files. CDK deploys this and the benchmark measures it.
 */
export function bundleGateway(outputDir: string, { hasEdgeTier }: { hasEdgeTier: boolean }): void {
  buildSync({ ...optionsFor(outputDir), entryPoints: ENTRY, chunkNames: "part-[hash]" });
  if (hasEdgeTier) {
    buildSync({ ...optionsFor(outputDir), entryPoints: THREAD_ENTRIES, chunkNames: "thread-part-[hash]" });
    copyFileSync(new URL(WASM_FILE, import.meta.resolve("onnxruntime-web/wasm")), join(outputDir, WASM_FILE));
  }
  writeFileSync(join(outputDir, "package.json"), '{"type":"module"}\n');
  writeFileSync(join(outputDir, HTTP2), "");
  copyDocs(join(outputDir, DOCS_FOLDER));
}

/** Bundles `functions/<name>/main.lambda.ts` for a Lambda function of Node's own runtime: `index.js` exports its handler. */
export function bundleFunction(outputDir: string, name: string): void {
  buildSync({ ...optionsFor(outputDir), entryPoints: { index: pathOf(`../functions/${name}/main.lambda.ts`) }, chunkNames: "part-[hash]" });
  // Whoever writes PDFs asks for typefaces by a name that the repository's package.json explains; here the bundle's has to.
  const hasPdf = name === "invoicing";
  const imports = hasPdf ? { "#fonts/*": "./fonts/*" } : {};
  writeFileSync(join(outputDir, "package.json"), `${JSON.stringify({ type: "module", imports })}\n`);
  writeFileSync(join(outputDir, HTTP2), "");
  if (hasPdf) copyFonts(join(outputDir, "fonts"));
}

function copyFonts(folder: string) {
  mkdirSync(folder, { recursive: true });
  const { resolve } = createRequire(import.meta.url);
  for (const file of FONT_FILES) copyFileSync(resolve(`dejavu-fonts-ttf/${file}`), join(folder, basename(file)));
}

function optionsFor(outdir: string): BuildOptions {
  return {
    outdir,
    bundle: true,
    // What is loaded later shares modules with what is there, so that a class is the same one on both sides.
    splitting: true,
    minifyWhitespace: true,
    minifySyntax: true,
    // Names stay as they are written, for errors in the log are read by people: shortened with `keepNames`, each function that a request makes is given its name again.
    platform: "node",
    target: "node24",
    format: "esm",
    // The SDK's ES modules can be shaken; what Node itself would take, CommonJS, cannot.
    mainFields: ["module", "main"],
    alias: { undici: pathOf("./undici-subset.mjs"), "mnemonist/lru-cache": pathOf("./endpoint-lru.mjs") },
    // What undici loads only when it needs it, and here never does: an experiment, the parser for machines without SIMD, HTTP/2, and forms as bodies.
    external: ["../milo/*", "*/llhttp-wasm.js", HTTP2, "*/web/fetch/body.js", "*/web/fetch/formdata", "*/web/webidl"],
    banner: { js: BANNER },
    legalComments: "none",
    logLevel: "error",
  };
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}

function copyDocs(folder: string) {
  const installed = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
  mkdirSync(folder, { recursive: true });
  for (const file of DOCS_FILES) copyFileSync(join(installed, file), join(folder, file));
}
