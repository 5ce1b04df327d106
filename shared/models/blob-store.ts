import { PART_BYTES, type VersionFile } from "./version.ts";

/** A slice of a file that is uploaded by itself; numbers start at 1. */
export type Part = { readonly number: number; readonly offset: number; readonly bytes: number };

/** A part as intake read it: the tag says which bytes those were, so that no later ones are promoted in their place. */
export type ReadPart = { readonly number: number; readonly tag: string };

export type Chunks = AsyncIterable<Uint8Array>;
export type Content = Pick<VersionFile, "sha256" | "bytes">;

/**
 * Where the bytes of versions lie, by their SHA-256: `incoming/` as publishers sent them, `blobs/` once intake has hashed them.
 * Fails with `unavailable` when the store cannot be had.
 */
export type BlobStore = {
  /** Whether the trusted store holds these bytes. */
  readonly has: (content: Content) => Promise<boolean>;
  /** The parts that have arrived in full. */
  readonly arrivedParts: (content: Content) => Promise<ReadonlySet<number>>;
  /** A URL that takes a PUT of exactly this part for `URL_EXPIRES_S` seconds. */
  readonly presignPart: (content: Content, part: Part) => Promise<string>;
  /** Trusted bytes; undefined if they are not there. */
  readonly readBlob: (sha256: string, signal: AbortSignal) => Promise<Chunks | undefined>;
  readonly readPart: (sha256: string, part: number, signal: AbortSignal) => Promise<{ tag: string; chunks: Chunks } | undefined>;
  /** Makes a trusted blob of the parts that were read and found right, without moving bytes through this process. False if a part has changed since. */
  readonly promote: (sha256: string, parts: readonly ReadPart[]) => Promise<boolean>;
  /** URLs that give a trusted blob's or a manifest's bytes to whoever has them, for `URL_EXPIRES_S` seconds. */
  readonly presignBlob: (sha256: string) => Promise<string>;
  readonly presignManifest: (digest: string) => Promise<string>;
  readonly putManifest: (digest: string, text: string) => Promise<void>;
  readonly removeParts: (sha256: string) => Promise<void>;
  /** Takes away bytes that are not what their name says; publishing the file again replaces them. */
  readonly removeBlob: (sha256: string) => Promise<void>;
  /** Removes the uploads that nobody has added to since `beforeMs`; says how many files they were. */
  readonly sweep: (beforeMs: number) => Promise<number>;
};

/** How long a URL works, in seconds; who needs longer asks for new ones. */
export const URL_EXPIRES_S = 3_600;

/** An upload that nobody has added to for this long is abandoned, in milliseconds. */
export const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** Cuts a file into parts of 8 MiB; an empty file has none, since there is nothing to send. */
export function partsOf(bytes: number): Part[] {
  return Array.from({ length: Math.ceil(bytes / PART_BYTES) }, (_, index) => {
    const offset = index * PART_BYTES;
    return { number: index + 1, offset, bytes: Math.min(PART_BYTES, bytes - offset) };
  });
}

export function bytesOfParts(parts: readonly Part[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}
