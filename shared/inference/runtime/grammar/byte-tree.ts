/** Texts of which one is to be written, by their bytes; `end` is what the one is that ends here. */
export type ByteTree = {
  readonly id: number;
  readonly next: ReadonlyMap<number, ByteTree>;
  readonly end: number | undefined;
  /** What may still end from here on, in rising order. */
  readonly ends: readonly number[];
};

type GrowingTree = { readonly id: number; readonly next: Map<number, GrowingTree>; end: number | undefined; readonly ends: number[] };

/** `end`s rise from text to text; of two texts that are the same the first counts. */
export function buildByteTree(texts: readonly { readonly bytes: Uint8Array; readonly end: number }[]): ByteTree {
  let size = 0;
  const grow = (): GrowingTree => ({ id: size++, next: new Map(), end: undefined, ends: [] });
  const root = grow();
  for (const { bytes, end } of texts) {
    let node = root;
    node.ends.push(end);
    for (const byte of bytes) {
      const next = node.next.get(byte) ?? grow();
      node.next.set(byte, next);
      node = next;
      node.ends.push(end);
    }
    node.end ??= end;
  }
  return root;
}
