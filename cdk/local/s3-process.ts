/** The process of the embedded S3: fauxqs over a folder, on this machine's own address only. */
import { mkdirSync } from "node:fs";
import { Server } from "node:net";
import { startFauxqs } from "fauxqs";
import { readStoreConfig } from "./config.ts";
import { closeAtTheEnd, sayFailed, sayReady } from "./store-process.ts";
import { dropTornWrites } from "./torn-writes.ts";

const config = readStoreConfig();

try {
  keepToThisMachine();
  mkdirSync(config.dir, { recursive: true });
  for (const dropped of dropTornWrites(config.dir)) console.error(`dropped ${dropped}: its write was never finished`);
  const s3 = await startFauxqs({ port: config.port, logger: false, s3StorageDir: config.dir, init: { buckets: [...config.buckets] } });
  closeAtTheEnd(() => s3.stop());
  sayReady(s3.port);
} catch (error) {
  sayFailed(`cannot open ${config.dir}: ${error instanceof Error ? error.message : error}`);
}

/** fauxqs listens on every address of the machine and asks nobody for a password; here only this machine may reach it. */
function keepToThisMachine() {
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server, ...[options]: unknown[]): Server {
    return Reflect.apply(listen, this, [Object.assign({}, options, { host: "127.0.0.1" })]);
  };
}
