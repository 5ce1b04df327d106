import type { Timer } from "./timer.ts";

/** A timer's process listens nowhere; its supervisor wants a port of every part. */
const NO_PORT = 0;

/** Makes a process a part of the one-machine platform: says that it is ready, and stops when it is told to or its supervisor is gone. */
export function runAsPart(self: NodeJS.Process, timer: Timer, close: () => Promise<void> | void): void {
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    await timer.stop();
    await close();
    self.exit(0);
  };
  self.once("SIGTERM", stop).once("SIGINT", stop).once("disconnect", stop);
  self.send?.({ ready: true, port: NO_PORT });
}
