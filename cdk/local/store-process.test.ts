import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTables } from "../../shared/dynamo/create-tables.ts";
import { createLocalDynamo } from "./dynamo.ts";
import { type PartProcess, startProcess } from "./part-process.ts";
import { BUCKET, dynamoPart, s3Part, urlOf } from "./parts.ts";

const PART_BYTES = 8 * 1024 ** 2;

let dir: string;
const running: PartProcess[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "weir-stores-"));
});
afterEach(async () => {
  for (const process of running.splice(0)) {
    process.kill();
    await process.ended;
  }
  rmSync(dir, { recursive: true });
});

test("objects, their metadata and an upload in the middle of its parts survive a kill", async () => {
  const before = await start("s3");
  const s3 = clientOf(before.port);
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: "blobs/a", Body: "weir", ContentType: "text/x", Metadata: { who: "me" } }));
  const upload = { Bucket: BUCKET, Key: "blobs/large" };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload));
  const [one, two] = [Buffer.alloc(PART_BYTES, 1), Buffer.alloc(PART_BYTES, 2)];
  const first = await s3.send(new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: one }));
  before.process.kill();
  await before.process.ended;

  const after = clientOf((await start("s3")).port);
  const second = await after.send(new UploadPartCommand({ ...upload, UploadId, PartNumber: 2, Body: two }));
  const Parts = [first, second].map(({ ETag }, index) => ({ ETag, PartNumber: index + 1 }));
  await after.send(new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } }));

  const head = await after.send(new HeadObjectCommand({ Bucket: BUCKET, Key: "blobs/a" }));
  expect([head.ContentType, head.Metadata, head.ContentLength]).toEqual(["text/x", { who: "me" }, 4]);
  const large = await after.send(new GetObjectCommand(upload));
  expect(Buffer.concat([one, two]).equals((await large.Body?.transformToByteArray()) ?? new Uint8Array())).toBe(true);
});

test("what a kill left half written is dropped, and the rest is served", async () => {
  const before = await start("s3");
  const s3 = clientOf(before.port);
  for (const Key of ["blobs/whole", "blobs/torn", "blobs/short"])
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "weir" }));
  const upload = await s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key: "blobs/parts" }));
  await s3.send(new UploadPartCommand({ Bucket: BUCKET, Key: "blobs/parts", UploadId: upload.UploadId, PartNumber: 1, Body: "weir" }));
  before.process.kill();
  await before.process.ended;
  const objects = join(dir, "s3", "buckets", BUCKET, "objects", "blobs");
  writeFileSync(join(objects, "torn.meta.json"), '{"key":"blobs/to');
  writeFileSync(join(objects, "short.data"), "we");
  rmSync(join(dir, "s3", "_multipart", upload.UploadId ?? "", "parts", "1.data"));

  const after = await start("s3");

  const found = (Key: string) => clientOf(after.port).send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
  await expect(found("blobs/torn")).rejects.toThrow();
  await expect(found("blobs/short")).rejects.toThrow();
  expect((await found("blobs/whole")).ContentLength).toBe(4);
  expect(after.said.filter((line) => line.includes("its write was never finished"))).toHaveLength(3);
});

test("rows that were acknowledged survive a kill", async () => {
  const before = await start("dynamo");
  const dynamo = createLocalDynamo(urlOf(before.port));
  await createTables(dynamo);
  const key = { pk: { S: "tenant#a" }, sk: { S: "r#1" } };
  await dynamo.client.send(new PutItemCommand({ TableName: "weir-control", Item: { ...key, n: { N: "1" } } }));
  before.process.kill();
  await before.process.ended;

  const after = createLocalDynamo(urlOf((await start("dynamo")).port));
  await createTables(after);

  const { Item } = await after.client.send(new GetItemCommand({ TableName: "weir-control", Key: key, ConsistentRead: true }));
  expect(Item?.["n"]).toEqual({ N: "1" });
});

test("a database that is damaged is refused in words", async () => {
  const before = await start("dynamo");
  before.process.terminate();
  await before.process.ended;
  writeFileSync(join(dir, "dynamo", "CURRENT"), "garbage");

  const { process, port } = await start("dynamo");

  expect(port).toBe(0);
  expect(await process.ended).toMatch(/^cannot open .*dynamo \(damaged, in use or on a full disk\)/);
});

test("a client that leaves in the middle of its request does not end the store", async () => {
  const { process, port } = await start("dynamo");
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");

  socket.resetAndDestroy();
  await once(socket, "close");

  await createTables(createLocalDynamo(urlOf(port)));
  expect(await Promise.race([process.ended, "runs"])).toBe("runs");
});

test("the stores, which ask nobody for a password, can be reached from this machine only", async () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === "IPv4" && !address.internal);
  for (const name of ["dynamo", "s3"] as const) {
    const { port } = await start(name);

    await expect(fetch(`http://127.0.0.1:${port}`)).resolves.toBeDefined();
    if (outside !== undefined) await expect(fetch(`http://${outside.address}:${port}`)).rejects.toThrow();
  }
});

async function start(name: "dynamo" | "s3"): Promise<{ process: PartProcess; port: number; said: string[] }> {
  const said: string[] = [];
  const part = (name === "dynamo" ? dynamoPart : s3Part)(dir);
  const process = startProcess(part.program(0), (line) => said.push(line));
  running.push(process);
  return { process, port: (await process.port) ?? 0, said };
}

function clientOf(port: number): S3Client {
  return new S3Client({
    region: "us-east-1",
    endpoint: urlOf(port),
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
}
