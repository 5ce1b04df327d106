import { createServer } from "node:http";
import dynalite from "dynalite";

/**
 * A DynamoDB engine in memory whose ledger only acknowledges: batches are answered after 4 ms, as DynamoDB does, and not kept.
 * Everything else (keys, splits, leases) is real. With `embedded` as its argument all is real, and kept in the given folder.
 */
const ACKNOWLEDGE_AFTER_MS = 4;
const [mode, folder] = process.argv.slice(2);
const engine = dynalite({ createTableMs: 0, ...(mode === "embedded" && folder !== undefined ? { path: folder } : {}) });

const server = createServer((request, response) => {
  if (mode === "embedded" || request.headers["x-amz-target"] !== "DynamoDB_20120810.BatchWriteItem") {
    engine.emit("request", request, response);
    return;
  }
  request.resume().on("end", () => {
    setTimeout(() => {
      const body = '{"UnprocessedItems":{}}';
      response.writeHead(200, { "content-type": "application/x-amz-json-1.0", "content-length": body.length }).end(body);
    }, ACKNOWLEDGE_AFTER_MS);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ port: address.port });
});
process.on("disconnect", () => process.exit(0));
