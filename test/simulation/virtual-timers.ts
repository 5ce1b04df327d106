import { AsyncLocalStorage } from "node:async_hooks";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import type { Machine, World } from "./world.ts";

type Place = { readonly world: World; readonly machine: Machine | undefined };

const places = new AsyncLocalStorage<Place>();

/** Runs code inside a history: its timers are the world's, and its chance, too. */
export function inWorld<T>(place: Place, work: () => T): T {
  return places.run(place, work);
}

let isInstalled = false;

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  sleep: timers.setTimeout,
  random: Math.random,
  timeoutSignal: AbortSignal.timeout,
};

/**
 * From now on the timers, `Math.random` and `AbortSignal.timeout` of code that runs inside a history are the history's; all other code keeps the real ones.
 * The product takes time and chance as arguments where they decide anything; what is left are pauses, and this gives them no length.
 */
export function installVirtualTimers() {
  if (isInstalled) return;
  isInstalled = true;
  const replaced = {
    setTimeout: setVirtualTimeout,
    clearTimeout: clearVirtual,
    setInterval: setVirtualInterval,
    clearInterval: clearVirtual,
  };
  Object.assign(globalThis, replaced);
  Object.assign(timers, { setTimeout: sleepVirtually });
  Object.assign(Math, { random: () => places.getStore()?.world.random.next() ?? real.random() });
  Object.assign(AbortSignal, { timeout: virtualTimeoutSignal });
  syncBuiltinESMExports();
}

/** What `setTimeout` gives to code in a history: enough of Node's own to be cleared, unreferenced and counted on. */
class VirtualTimer {
  callOff: () => void = () => {};

  unref() {
    return this;
  }

  ref() {
    return this;
  }

  hasRef() {
    return true;
  }

  [Symbol.dispose]() {
    this.callOff();
  }
}

function setVirtualTimeout(work: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) {
  const place = places.getStore();
  if (place === undefined) return real.setTimeout(work, delayMs, ...args);
  const timer = new VirtualTimer();
  timer.callOff = place.world.after(Math.max(1, delayMs), () => work(...args), place.machine);
  return timer;
}

function setVirtualInterval(work: (...args: unknown[]) => void, everyMs = 0, ...args: unknown[]) {
  const place = places.getStore();
  if (place === undefined) return real.setInterval(work, everyMs, ...args);
  const timer = new VirtualTimer();
  const again = () => {
    timer.callOff = place.world.after(
      Math.max(1, everyMs),
      () => {
        again();
        place.machine?.passOver();
        work(...args);
      },
      place.machine,
    );
  };
  again();
  return timer;
}

function clearVirtual(timer: unknown) {
  if (timer instanceof VirtualTimer) timer.callOff();
  else real.clearTimeout(timer as NodeJS.Timeout); // whatever is none of ours is one of Node's
}

function sleepVirtually<T>(delayMs = 1, value?: T, options: { signal?: AbortSignal } = {}): Promise<T | undefined> {
  const place = places.getStore();
  if (place === undefined) return real.sleep(delayMs, value, options);
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const callOff = place.world.after(Math.max(1, delayMs), () => resolve(value), place.machine);
    signal?.addEventListener("abort", () => {
      callOff();
      reject(signal.reason);
    });
  });
}

function virtualTimeoutSignal(delayMs: number): AbortSignal {
  const place = places.getStore();
  if (place === undefined) return real.timeoutSignal.call(AbortSignal, delayMs);
  const controller = new AbortController();
  place.world.after(delayMs, () => controller.abort(new DOMException("the time is over", "TimeoutError")), place.machine);
  return controller.signal;
}
