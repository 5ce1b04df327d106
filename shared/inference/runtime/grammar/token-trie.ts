/** A vocabulary's tokens by their bytes, as a tree that is read in one sweep: a node stands before its children, which share its bytes. */
export type TokenTrie = {
  readonly size: number;
  /** Of each node: its byte, how many bytes lead to it, and the node that follows once its children are left out. */
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly skip: Int32Array;
  /** The tokens that end at node i are `tokens` from `first[i]` up to `first[i + 1]`. */
  readonly first: Int32Array;
  readonly tokens: Int32Array;
};

export type TokenBytes = { readonly token: number; readonly bytes: Uint8Array };

export function buildTokenTrie(entries: readonly TokenBytes[]): TokenTrie {
  const sorted = entries.toSorted((a, b) => Buffer.compare(a.bytes, b.bytes));
  const size = countNodes(sorted);
  const trie = {
    size,
    byte: new Uint8Array(size),
    depth: new Uint16Array(size),
    skip: new Int32Array(size).fill(size),
    first: new Int32Array(size + 1).fill(sorted.length),
    tokens: Int32Array.from(sorted, ({ token }) => token),
  };
  fill(trie, sorted);
  return trie;
}

function countNodes(sorted: readonly TokenBytes[]): number {
  return sorted.reduce((sum, { bytes }, index) => sum + bytes.length - sharedLength(sorted[index - 1]?.bytes, bytes), 0);
}

function fill({ byte, depth, skip, first, size }: TokenTrie, sorted: readonly TokenBytes[]): void {
  /** The nodes on the way to the last token. */
  const path: number[] = [];
  let node = 0;
  for (const [index, { bytes }] of sorted.entries()) {
    const shared = sharedLength(sorted[index - 1]?.bytes, bytes);
    for (const left of path.splice(shared)) skip[left] = node;
    for (let at = shared; at < bytes.length; at++) {
      byte[node] = bytes[at] ?? 0;
      depth[node] = at + 1;
      // Nodes on the way to a token hold none of their own: their range ends where it begins.
      first[node] = index;
      path.push(node);
      node += 1;
    }
  }
  first[size] = sorted.length;
}

function sharedLength(before: Uint8Array | undefined, bytes: Uint8Array): number {
  if (before === undefined) return 0;
  let shared = 0;
  while (shared < bytes.length && shared < before.length && bytes[shared] === before[shared]) shared += 1;
  return shared;
}
