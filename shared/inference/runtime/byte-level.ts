/** GPT-2's `bytes_to_unicode`, read backwards: printable Latin-1 stands for itself, the other bytes follow each other from U+0100 on. */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = (() => {
  const isPrintable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let others = 0x100;
  return new Map(Array.from({ length: 256 }, (_, byte) => [String.fromCodePoint(isPrintable(byte) ? byte : others++), byte] as const));
})();

const encoder = new TextEncoder();

/** The bytes that a byte-level token spells; one with any other character stands for itself (tokenizers, `ByteLevel::decode_chain`). */
export function byteLevelBytes(piece: string): Uint8Array {
  const bytes = Array.from(piece, (character) => BYTE_OF_CHARACTER.get(character));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : encoder.encode(piece);
}
