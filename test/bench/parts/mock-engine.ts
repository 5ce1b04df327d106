import { createServer } from "node:http";

/** An OpenAI-compatible engine that costs next to nothing: the same 5 KB of embeddings to every request. */
const vector = Array.from({ length: 384 }, (_, index) => Math.sin(index) / 20);
const answer = JSON.stringify({
  object: "list",
  data: [{ object: "embedding", index: 0, embedding: vector.map((each) => Number(each.toFixed(10))) }],
  model: "bench",
  usage: { prompt_tokens: 8, total_tokens: 8 },
});

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) }).end(answer);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ port: address.port });
});
process.on("disconnect", () => process.exit(0));
