import { isBuiltin } from "node:module";
import { posix } from "node:path";
import type { SourceFile } from "./source-files.ts";

/** What a room may import besides itself: other rooms by their path's start, packages by name. Everything may use Node's own modules. */
type Room = { readonly rooms: readonly string[]; readonly packages: readonly string[] };

/** The longest prefix that fits a file's path is its room. */
const ROOMS: Readonly<Record<string, Room>> = {
  shared: { rooms: ["shared"], packages: ["zod", "uuid", "lru-cache"] },
  "shared/base": { rooms: [], packages: ["zod", "uuid"] },
  "shared/aws": { rooms: [], packages: ["aws4", "undici", "zod", "@aws-sdk/credential-provider-node"] },
  "shared/dynamo": { rooms: ["shared/base", "shared/aws"], packages: ["zod", "@aws-sdk/client-dynamodb"] },
  "shared/billing": { rooms: ["shared"], packages: ["zod", "big.js", "csv-stringify", "lru-cache"] },
  "shared/events": { rooms: ["shared"], packages: ["zod", "standardwebhooks"] },
  "shared/clients": { rooms: ["shared"], packages: ["zod", "undici"] },
  "shared/inference": { rooms: ["shared"], packages: ["zod", "undici", "lru-cache", "@aws-sdk/client-lambda"] },
  "shared/inference/runtime": { rooms: ["shared"], packages: ["zod", "@huggingface/tokenizers", "@huggingface/jinja"] },
  "shared/inference/ort": { rooms: ["shared"], packages: ["zod", "onnxruntime-node"] },
  "edge/wasm": { rooms: ["shared"], packages: ["onnxruntime-web"] },
  edge: { rooms: ["shared"], packages: ["hono", "@hono/node-server", "zod", "lru-cache", "undici", "structured-headers"] },
  "functions/inference": { rooms: ["shared"], packages: ["zod", "undici", "@aws-sdk/client-s3"] },
  "functions/intake": { rooms: ["shared"], packages: ["zod", "undici"] },
  "functions/caretaker": { rooms: ["shared"], packages: ["zod"] },
  "functions/balances": { rooms: ["shared"], packages: ["zod"] },
  "functions/webhooks": { rooms: ["shared"], packages: ["zod"] },
  "functions/sealer": { rooms: ["shared"], packages: ["zod"] },
  "functions/invoicing": { rooms: ["shared"], packages: ["zod"] },
  cdk: { rooms: ["shared"], packages: ["aws-cdk-lib", "constructs", "cdk-nag", "zod", "esbuild"] },
  "cdk/cli": { rooms: ["shared"], packages: ["commander", "cli-progress", "zod"] },
  "cdk/local": { rooms: ["shared"], packages: ["dynalite", "fauxqs", "zod", "@aws-sdk/client-s3", "cli-progress"] },
};

/** Files with a dot in their name adapt a noun to a technology; what they may import besides their room's. */
const DOTTED: Readonly<Record<string, readonly string[]>> = {
  s3: ["@aws-sdk/client-s3", "@aws-sdk/s3-request-presigner"],
  http: ["undici"],
  lambda: ["@aws-sdk/client-lambda"],
  pdf: ["pdfkit"],
};

/** Whoever builds the parts: composition roots, what they share, and tests. */
const isRoot = (path: string) => /(^|\/)main\.|(^|\/)compose\.ts$|^test\/|\.test\.ts$|^cdk\/local\//.test(path);
const isStore = (path: string) => /-store\.(dynamo|s3)\.ts$|\/ledger\.dynamo\.ts$|\/usage-reader\.dynamo\.ts$/.test(path);

/** Says in words which imports of a file go against the arrows of the house, and what to do instead. */
export function wrongImportsOf(file: SourceFile): string[] {
  if (file.path.startsWith("test/") || !file.path.includes("/")) return [];
  const room = roomOf(file.path);
  return file.imports.flatMap(({ from, isTypeOnly }) => {
    if (isBuiltin(from) || from.endsWith("/package.json") || (isTest(file.path) && isPackage(from))) return [];
    const wrong = isPackage(from)
      ? wrongPackage(file.path, room, packageOf(from))
      : wrongFile(file.path, room, { to: resolve(file.path, from), isTypeOnly });
    return wrong === undefined ? [] : [`${file.path} imports ${from}: ${wrong}`];
  });
}

function wrongPackage(path: string, room: string, name: string): string | undefined {
  const allowed = [...(ROOMS[room]?.packages ?? []), ...(DOTTED[dotOf(path)] ?? [])];
  return allowed.includes(name)
    ? undefined
    : `${room} may use ${allowed.join(", ")}; put a port into shared and this behind it, in a dotted file`;
}

function wrongFile(path: string, room: string, { to, isTypeOnly }: { to: string; isTypeOnly: boolean }): string | undefined {
  const target = roomOf(to);
  const allowed = [room, ...(ROOMS[room]?.rooms ?? [])];
  if (isTest(path) && to.startsWith("test/")) return undefined;
  if (!allowed.some((each) => to === each || to.startsWith(`${each}/`)))
    return `${room} may import ${allowed.join(", ")}, not ${target}; move what both need into shared`;
  if (isStore(to) && !isTypeOnly && !isRoot(path) && nounOf(path) !== nounOf(to))
    return "only composition roots build stores; take the store as an argument";
  return undefined;
}

function roomOf(path: string): string {
  const rooms = Object.keys(ROOMS).filter((room) => path.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? path.split("/")[0] ?? path;
}

const isTest = (path: string) => path.endsWith(".test.ts");
const isPackage = (from: string) => !from.startsWith(".");
const nounOf = (path: string) => posix.dirname(path);
const resolve = (path: string, from: string) => posix.join(posix.dirname(path), from);
const packageOf = (from: string) =>
  from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
const dotOf = (path: string) => posix.basename(path).split(".").at(-2) ?? "";
