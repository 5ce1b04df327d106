import { Failure } from "../base/failure.ts";

/** Bytes `[offset, offset + length)` of a file, fewer at its end. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/**
 * The message fields of ONNX (onnx.proto3) under which tensors lie: field number → kind of message. Everything else is jumped over by its
 * length, so that gigabytes of weights are never read. A protobuf library would need the whole file in memory.
 */
const NESTED = {
  model: { 7: "graph", 20: "training", 25: "function" },
  training: { 1: "graph", 2: "graph" },
  function: { 7: "node" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: { 13: "entry" },
  entry: {},
} as const satisfies Record<string, Readonly<Record<number, string>>>;

type Kind = keyof typeof NESTED;

const DEPTH_MAX = 100;
const LOCATIONS_MAX = 1_000;
const TEXT_BYTES_MAX = 4_096;
const WINDOW_BYTES = 64 * 1024;

/** The files that an ONNX graph names for its weights (`external_data.location`), each once. Fails with `invalid_request` if the file is no whole ONNX graph. */
export async function externalLocationsOf(readAt: ReadAt, bytes: number): Promise<string[]> {
  const walk: Walk = { cursor: createCursor(readAt, bytes), locations: new Set(), hasGraph: false };
  await walkMessage(walk, "model", { end: bytes, depth: 0 });
  if (!walk.hasGraph) throw malformed("it holds no graph");
  return [...walk.locations];
}

type Walk = { readonly cursor: Cursor; readonly locations: Set<string>; hasGraph: boolean };
type Range = { readonly end: number; readonly depth: number };

async function walkMessage(walk: Walk, kind: Kind, { end, depth }: Range): Promise<void> {
  if (depth > DEPTH_MAX) throw malformed("it is nested too deeply");
  if (kind === "graph") walk.hasGraph = true;
  if (kind === "entry") return readEntry(walk, end);
  const nested: Readonly<Record<number, Kind>> = NESTED[kind];
  while (walk.cursor.position() < end) {
    const field = await readField(walk.cursor, end);
    const child = field.isMessage ? nested[field.number] : undefined;
    if (child !== undefined) await walkMessage(walk, child, { end: field.end, depth: depth + 1 });
    walk.cursor.moveTo(field.end);
  }
}

/** `StringStringEntryProto`: the weights' file is the value whose key is `location`. */
async function readEntry(walk: Walk, end: number): Promise<void> {
  const texts: Record<number, string> = {};
  while (walk.cursor.position() < end) {
    const field = await readField(walk.cursor, end);
    if (field.isMessage) texts[field.number] = await walk.cursor.text(field.end);
    walk.cursor.moveTo(field.end);
  }
  if (texts[1] !== "location") return;
  walk.locations.add(texts[2] ?? "");
  if (walk.locations.size > LOCATIONS_MAX) throw malformed(`it names more than ${LOCATIONS_MAX} files of weights`);
}

/** Reads a field's head; its content lies between the cursor and `end`. Wire types: 0 varint, 1 eight bytes, 2 length and content, 5 four bytes. */
async function readField(cursor: Cursor, messageEnd: number): Promise<{ number: number; isMessage: boolean; end: number }> {
  const tag = await cursor.varint();
  const [number, wireType] = [Math.floor(tag / 8), tag % 8];
  const end = await endOfField(cursor, wireType);
  if (end > messageEnd) throw malformed("it ends in the middle");
  return { number, isMessage: wireType === 2, end };
}

async function endOfField(cursor: Cursor, wireType: number): Promise<number> {
  if (wireType === 2) {
    const length = await cursor.varint();
    return cursor.position() + length;
  }
  if (wireType === 0) await cursor.varint();
  else if (wireType === 1) cursor.moveTo(cursor.position() + 8);
  else if (wireType === 5) cursor.moveTo(cursor.position() + 4);
  else throw malformed("it is not in ONNX's format");
  return cursor.position();
}

type Cursor = ReturnType<typeof createCursor>;

/** Reads a file through a window, so that jumping over weights costs nothing and small fields cost no call each. */
function createCursor(readAt: ReadAt, bytes: number) {
  let at = 0;
  let window: { start: number; bytes: Uint8Array } = { start: 0, bytes: new Uint8Array() };

  async function byte(): Promise<number> {
    if (at < window.start || at >= window.start + window.bytes.length) window = { start: at, bytes: await readAt(at, WINDOW_BYTES) };
    const value = window.bytes[at - window.start];
    if (value === undefined || at >= bytes) throw malformed("it ends in the middle");
    at += 1;
    return value;
  }

  return {
    position: () => at,
    moveTo: (position: number) => {
      at = position;
    },
    async varint(): Promise<number> {
      let value = 0;
      for (let shift = 0; shift < 64; shift += 7) {
        const next = await byte();
        // Negative numbers use all 64 bits; they are skipped, so their lost precision does not matter.
        value += (next & 0x7f) * 2 ** shift;
        if (next < 0x80) return value;
      }
      throw malformed("it is not in ONNX's format");
    },
    async text(end: number): Promise<string> {
      const length = Math.min(end - at, TEXT_BYTES_MAX);
      return Buffer.from(await readAt(at, length)).toString("utf8");
    },
  };
}

function malformed(why: string): Failure {
  return new Failure("invalid_request", `it is not a whole ONNX graph: ${why}`);
}
