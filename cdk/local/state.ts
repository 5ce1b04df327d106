import { chmodSync, mkdirSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { acquireLock } from "./lock.ts";
import { readPrivateJson, writePrivateJson } from "./private-file.ts";
import { refusingTrouble, StartRefusal } from "./refusal.ts";

/** Raised when what lies in the folder changes its meaning; then an upgrade from the one before is written, or the old one is refused. */
export const STATE_SCHEMA = 2;

/** What a first start writes three times over: uploaded models, their checked copies, and the function's cache. */
export const FREE_BYTES_MIN = 512 * 1024 ** 2;

const AnyState = z.looseObject({ schema: z.int() });
const State = z.object({
  schema: z.literal(STATE_SCHEMA),
  createdAt: z.iso.datetime(),
  /** False until the first start has done all its work; until then the next start does it again. */
  isSetUp: z.boolean(),
});
export type State = z.infer<typeof State>;

/** The folder that holds everything one machine knows; this process is its only user until `release`. */
export type StateFolder = {
  readonly dir: string;
  readonly state: State;
  readonly path: (name: string) => string;
  readonly markSetUp: () => void;
  readonly release: () => void;
};

export type FreeBytes = (dir: string) => number;

/** Opens the state, makes it if there is none, and refuses with one line what cannot be used whole. */
export function openState(dir: string, nowMs: number, freeBytes: FreeBytes = freeBytesOf): StateFolder {
  return refusingTrouble(dir, () => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    refuseForeign(dir);
    chmodSync(dir, 0o700);
    const release = acquireLock(join(dir, "lock"));
    try {
      refuseFull(dir, freeBytes(dir));
      return folderOf(dir, { state: readOrMakeState(dir, nowMs), release });
    } catch (error) {
      release();
      throw error;
    }
  });
}

function folderOf(dir: string, opened: { state: State; release: () => void }): StateFolder {
  const path = (name: string) => join(dir, name);
  const markSetUp = () => writePrivateJson(path("state.json"), { ...opened.state, isSetUp: true });
  return { dir, path, markSetUp, ...opened };
}

function readOrMakeState(dir: string, nowMs: number): State {
  const path = join(dir, "state.json");
  const schema = readPrivateJson(path, AnyState)?.schema;
  if (schema === undefined) writePrivateJson(path, { schema: STATE_SCHEMA, createdAt: new Date(nowMs).toISOString(), isSetUp: false });
  else if (schema > STATE_SCHEMA)
    throw new StartRefusal(`${dir} was written by a newer Weir (schema ${schema}, this one reads ${STATE_SCHEMA}): use that one`);
  else if (schema < STATE_SCHEMA)
    throw new StartRefusal(
      `${dir} was written by an older Weir (schema ${schema}, this one reads ${STATE_SCHEMA}): delete it to start anew`,
    );
  const state = readPrivateJson(path, State);
  if (state === undefined) throw new Error(`${path} vanished while it was being read`);
  return state;
}

/** A folder with other people's files in it is not Weir's to fill or to close: somebody mistyped WEIR_STATE_DIR. */
function refuseForeign(dir: string) {
  const names = readdirSync(dir).filter((name) => name !== "lock" && !name.startsWith("lock.") && name !== "state.json.tmp");
  if (names.length === 0 || names.includes("state.json")) return;
  throw new StartRefusal(`${dir} holds files but no state.json, so it is not a state of Weir: name an empty or absent folder`);
}

/** A full disk must not be found out in the middle of the first request. */
function refuseFull(dir: string, freeBytes: number) {
  if (freeBytes >= FREE_BYTES_MIN) return;
  const [free, wanted] = [freeBytes, FREE_BYTES_MIN].map((bytes) => Math.floor(bytes / 1024 ** 2));
  throw new StartRefusal(`the disk of ${dir} is full: ${free} MiB are left, and Weir wants ${wanted} MiB; make room`);
}

function freeBytesOf(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}
