/** What a thread's WebAssembly has taken. It never gives any of it back. */
export type WasmMemory = { readonly heldBytes: () => number };

/** As the WebAssembly JavaScript Interface has it; TypeScript describes it for browsers only. */
type Memory = { readonly buffer: ArrayBufferLike };
type MemoryDescriptor = { readonly initial: number; readonly maximum?: number; readonly shared?: boolean };
type WithWebAssembly = { readonly WebAssembly: { Memory: new (asked: MemoryDescriptor) => Memory } };

const PAGE_BYTES = 65_536;

/**
 * Watches every WebAssembly memory that this thread makes from now on, and bounds each. ONNX Runtime makes its own and hands it to nobody, so the
 * constructor is replaced before the runtime is loaded. Where memory cannot grow, an allocation fails, and with it the run or the load.
 */
export function watchWasmMemory(bytesMax: number): WasmMemory {
  const { WebAssembly } = globalThis as unknown as WithWebAssembly; // every Node has it
  const memories: Memory[] = [];
  const pagesMax = Math.floor(bytesMax / PAGE_BYTES);
  WebAssembly.Memory = class extends WebAssembly.Memory {
    constructor(asked: MemoryDescriptor) {
      super({ ...asked, maximum: Math.max(asked.initial, Math.min(asked.maximum ?? pagesMax, pagesMax)) });
      memories.push(this);
    }
  };
  return { heldBytes: () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0) };
}
