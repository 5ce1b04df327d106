import type { WorkerAnswer, WorkerOrder, WorkerWord } from "../../shared/inference/engine/worker-protocol.ts";
import type { Elements } from "../../shared/inference/runtime/session.ts";

type Message<Said> = { readonly message: Said; readonly memory: readonly ArrayBuffer[] };

/**
 * An order whose arrays have memory of their own, to be handed over: a message that holds a view takes all of the memory behind it along, and an
 * input's token ids are a view of those of its whole request.
 */
export function ownMemory(order: WorkerOrder): Message<WorkerOrder> {
  const memory: ArrayBuffer[] = [];
  const own = <View extends Elements>(view: View): View => {
    const copy = view.slice() as View; // a slice is of its array's own kind
    if (copy.buffer instanceof ArrayBuffer) memory.push(copy.buffer);
    return copy;
  };
  if (order.kind === "run") {
    const inputs = order.inputs.map((input) => ({
      ids: own(input.ids),
      typeIds: own(input.typeIds),
      ...(input.keep !== undefined && { keep: own(input.keep) }),
    }));
    return { message: { ...order, inputs }, memory };
  }
  if (order.kind === "forward") {
    const feeds = Object.entries(order.feeds).map(([name, tensor]) => [name, { ...tensor, data: own(tensor.data) }]);
    return { message: { ...order, feeds: Object.fromEntries(feeds) }, memory };
  }
  return { message: order, memory };
}

/** What can be handed over of a word: an answer's numbers, which nobody here needs any more. */
export function memoryOf(word: WorkerWord): ArrayBuffer[] {
  const buffers = word.kind === "answer" ? arraysOf(word.answer).map(({ buffer }) => buffer) : [];
  return [...new Set(buffers)].filter((buffer) => buffer instanceof ArrayBuffer);
}

function arraysOf(answer: WorkerAnswer): Elements[] {
  if (answer.kind === "rows") return answer.rows.map(({ values }) => values);
  if (answer.kind === "tensors") return Object.values(answer.tensors).map(({ data }) => data);
  return [];
}
