import { createServer } from "node:http";
import { Pool } from "undici";

/** What any Node process pays to ask an engine, then write to a store, then answer: no key, no limit, no split, no row. */
const [engineUrl = "", storeUrl = ""] = process.argv.slice(2);
const engine = new Pool(engineUrl);
const store = new Pool(storeUrl);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", async () => {
    const headers = { "content-type": "application/json" };
    const answer = await engine.request({ method: "POST", path: "/v1/embeddings", headers, body: Buffer.concat(chunks) });
    const body = Buffer.from(await answer.body.arrayBuffer());
    const written = await store.request({
      method: "POST",
      path: "/",
      headers: { "x-amz-target": "DynamoDB_20120810.BatchWriteItem" },
      body: "{}",
    });
    await written.body.dump();
    response.writeHead(200, { ...headers, "content-length": body.byteLength }).end(body);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ port: address.port });
});
process.on("disconnect", () => process.exit(0));
