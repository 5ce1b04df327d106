import type { Machine } from "./world.ts";

export type Due = {
  readonly atMs: number;
  readonly order: number;
  readonly work: () => void;
  readonly machine: Machine | undefined;
  isOff: boolean;
};

/** What is to happen, in the order of its time; of one time, in the order in which it was asked for. */
export type Agenda = {
  readonly add: (atMs: number, work: () => void, machine: Machine | undefined) => () => void;
  /** Takes the next one that is due by then. */
  readonly take: (untilMs: number) => Due | undefined;
};

export function createAgenda(): Agenda {
  const heap: Due[] = [];
  let order = 0;
  return {
    add(atMs, work, machine) {
      order += 1;
      const due = { atMs, order, work, machine, isOff: false };
      push(heap, due);
      return () => {
        due.isOff = true;
      };
    },
    take(untilMs) {
      for (let next = heap[0]; next !== undefined && next.atMs <= untilMs; next = heap[0]) {
        pop(heap);
        if (!next.isOff) return next;
      }
      return undefined;
    },
  };
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A binary heap: the children of place n are 2n+1 and 2n+2. */
function push(heap: Due[], due: Due) {
  let place = heap.length;
  while (place > 0) {
    const parentPlace = (place - 1) >> 1;
    const parent = heap[parentPlace];
    if (parent === undefined || !isBefore(due, parent)) break;
    heap[place] = parent;
    place = parentPlace;
  }
  heap[place] = due;
}

function pop(heap: Due[]) {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let place = 0;
  for (;;) {
    const [left, right] = [heap[2 * place + 1], heap[2 * place + 2]];
    const child = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
    if (child === undefined || !isBefore(child, last)) break;
    heap[place] = child;
    place = child === left ? 2 * place + 1 : 2 * place + 2;
  }
  heap[place] = last;
}
