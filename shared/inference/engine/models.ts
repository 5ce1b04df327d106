import { join } from "node:path";
import { Failure } from "../../base/failure.ts";
import { sha256Hex } from "../../base/hash.ts";
import { dtypesIn, graphPathIn } from "../../models/folder.ts";
import { type Dtype, Manifest, manifestKey, type VersionFile } from "../../models/version.ts";
import type { TextCoder } from "../runtime/coder.ts";
import { forwardSettingsOf } from "../runtime/forward.ts";
import { notedHeadOf } from "../runtime/heads.ts";
import type { ModelSettings } from "../runtime/model-files.ts";
import type { TaskModel } from "../runtime/plan.ts";
import type { Artefacts } from "./artefacts.s3.ts";
import type { DiskCache } from "./disk-cache.ts";
import type { Graph } from "./worker-protocol.ts";

/** A version whose files are here: all but its session, which workers hold. */
export type OpenModel = TaskModel & { readonly graph: Graph };

export type Models = {
  /** Fails with `unavailable` while the store does not answer, and with `engine_failed` if the version cannot be used. */
  readonly open: (manifestDigest: string, dtype: Dtype) => Promise<OpenModel>;
  /** Told when a graph did not load: its files are checked, and fetched again if need be, before it is used again. */
  readonly doubt: (graph: Graph) => void;
  readonly close: () => Promise<void>;
};

/** Where tokenizers are kept: loaded from a version's folder apart from this thread, so that neither that nor their work holds anybody up. */
export type Coders = {
  readonly open: (folder: string) => Promise<{ readonly settings: ModelSettings; readonly coder: TextCoder }>;
  readonly close: () => Promise<void>;
};

export type ModelsParts = {
  readonly artefacts: Pick<Artefacts, "read">;
  readonly disk: DiskCache;
  readonly coders: Coders;
  /** A version with more is refused with `unavailable` before any of it is fetched; absent, what workers hold is the limit. */
  readonly weightBytesMax?: number;
};

/** Tokenizers are the largest part of an open model, some 10 to 100 MB. */
const OPEN_MODELS_MAX = 32;
const MANIFEST_BYTES_MAX = 1024 ** 2;

export function createModels(parts: ModelsParts): Models {
  // In order of use; a model that is being opened is shared by all who wait for it.
  const opened = new Map<string, Promise<OpenModel>>();
  return {
    open(manifestDigest, dtype) {
      const key = `${manifestDigest}-${dtype}`;
      const model = opened.get(key) ?? openModel(parts, { key, manifestDigest, dtype });
      opened.delete(key);
      opened.set(key, model);
      for (const [oldest] of opened) if (opened.size > OPEN_MODELS_MAX) opened.delete(oldest);
      model.catch(() => opened.get(key) === model && opened.delete(key));
      return model;
    },
    doubt({ key }) {
      opened.delete(key);
      parts.disk.doubt(key);
    },
    close: () => parts.coders.close(),
  };
}

type Wanted = { readonly key: string; readonly manifestDigest: string; readonly dtype: Dtype };

async function openModel(
  { artefacts, disk, coders, weightBytesMax }: ModelsParts,
  { key, manifestDigest, dtype }: Wanted,
): Promise<OpenModel> {
  const manifest = await readManifest(artefacts, manifestDigest);
  const files = filesFor(manifest.files, dtype);
  const weightBytes = weightBytesOf(files);
  if (weightBytesMax !== undefined && weightBytes > weightBytesMax) throw tooLarge(weightBytes, weightBytesMax);
  const folder = await disk.materialize(key, files);
  try {
    const { settings, coder } = await coders.open(folder);
    const path = graphPathIn(pathsOf(files), dtype);
    if (path === undefined) throw new Failure("invalid_request", `it has no graph for ${dtype}`);
    const graph = {
      key,
      folder,
      path: join(folder, path),
      weightBytes,
      ...forwardSettingsOf(notedHeadOf(manifest.facts, settings), settings, dtype),
    };
    return { facts: manifest.facts, settings, coder, graph };
  } catch (cause) {
    // Intake has read these files, so this is no fault of the caller's.
    throw new Failure("engine_failed", `The version cannot be used: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function readManifest(artefacts: Pick<Artefacts, "read">, digest: string): Promise<Manifest> {
  const chunks = await artefacts.read(manifestKey(digest));
  if (chunks === undefined) throw new Failure("engine_failed", "The version's manifest is missing from the store.");
  const text = await readText(chunks);
  const manifest = sha256Hex(text) === digest ? Manifest.safeParse(JSON.parse(text)) : undefined;
  if (manifest?.success) return manifest.data;
  throw new Failure("engine_failed", "The version's manifest is not what was published.", { cause: manifest?.error });
}

async function readText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > MANIFEST_BYTES_MAX) throw new Failure("engine_failed", "The version's manifest is too large.");
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** All but the graphs of other dtypes, with the weights beside them. */
function filesFor(files: readonly VersionFile[], dtype: Dtype): VersionFile[] {
  const paths = pathsOf(files);
  const own = graphPathIn(paths, dtype) ?? "";
  const others = dtypesIn(paths)
    .flatMap((other) => graphPathIn(paths, other) ?? [])
    .filter((path) => path !== own);
  return files.filter(({ path }) => !others.some((other) => path === other || path.startsWith(`${other}_data`)));
}

const pathsOf = (files: readonly VersionFile[]) => new Set(files.map(({ path }) => path));

function weightBytesOf(files: readonly VersionFile[]): number {
  return files.filter(({ path }) => !/\.(json|txt|md|model)$/.test(path)).reduce((sum, { bytes }) => sum + bytes, 0);
}

function tooLarge(bytes: number, bytesMax: number): Failure {
  const mib = (count: number) => Math.ceil(count / 1024 ** 2);
  return new Failure("unavailable", `The model's weights take ${mib(bytes)} MiB, and this pool takes ${mib(bytesMax)} MiB at most.`);
}
