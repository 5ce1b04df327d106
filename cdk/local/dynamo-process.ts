/** The process of the embedded DynamoDB: dynalite over LevelDB, on this machine's own address only. */
import { once } from "node:events";
import dynalite from "dynalite";
import { readStoreConfig } from "./config.ts";
import { systemCodeOf } from "./refusal.ts";
import { closeAtTheEnd, portOf, sayFailed, sayReady } from "./store-process.ts";

const OPEN_TIMEOUT_MS = 20_000;

const config = readStoreConfig();
let isOpen = false;

process.on("uncaughtException", (error) => {
  // dynalite throws when a client leaves in the middle of its request; that must not end everybody's store.
  if (systemCodeOf(error) === "ECONNRESET") return;
  sayFailed(isOpen ? `failed: ${error.message}` : `cannot open ${config.dir} (damaged, in use or on a full disk): ${error.message}`);
});

const server = dynalite({ path: config.dir, createTableMs: 1 }).listen(config.port, "127.0.0.1");
await once(server, "listening");
closeAtTheEnd(() => new Promise((done) => server.close(done)));
const port = portOf(server.address());
await openDatabase(port);
isOpen = true;
sayReady(port);

/** dynalite opens its database at leisure, and throws at the first request if it could not: so this asks for a table that nobody has. */
async function openDatabase(port: number) {
  const headers = {
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": "DynamoDB_20120810.DescribeTable",
    "x-amz-date": "20260101T000000Z",
    authorization: "AWS4-HMAC-SHA256 Credential=none, SignedHeaders=none, Signature=none",
  };
  const body = JSON.stringify({ TableName: "none" });
  await fetch(`http://127.0.0.1:${port}`, { method: "POST", headers, body, signal: AbortSignal.timeout(OPEN_TIMEOUT_MS) });
}
