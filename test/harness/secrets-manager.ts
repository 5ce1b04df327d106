import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";

export type TestSecretsManager = {
  readonly endpoint: string;
  /** The ARNs that were asked for, in order. */
  readonly asked: readonly string[];
  readonly close: () => Promise<void>;
};

/** A server that speaks as much of Secrets Manager's protocol as Weir uses; an ARN that it does not hold is refused. */
export async function startSecretsManager(secrets: Readonly<Record<string, string>>): Promise<TestSecretsManager> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const arn = await secretIdOf(request);
    asked.push(arn);
    const isSigned = /^AWS4-HMAC-SHA256 Credential=.+\/secretsmanager\/aws4_request/.test(request.headers.authorization ?? "");
    const isGet = request.headers["x-amz-target"] === "secretsmanager.GetSecretValue";
    const SecretString = isSigned && isGet ? secrets[arn] : undefined;
    response.writeHead(SecretString === undefined ? 400 : 200, { "content-type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(SecretString === undefined ? { __type: "ResourceNotFoundException" } : { ARN: arn, SecretString }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function secretIdOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString()).SecretId;
}
