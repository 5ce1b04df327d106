/** Ctrl-C under npm arrives twice: from the terminal, and a moment later handed on by npm. */
const ECHO_MS_MAX = 300;

/** Not SIGHUP: who starts this under nohup wants it ignored, and otherwise it ends this process, and the parts by themselves after it. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Aborts at the first signal to stop, which asks for a drain; at the second, kills and ends this process at once.
 * A program that started this one over IPC and is gone asks for the same as a signal. However this process ends, the parts end with it.
 */
export function stopOnSignals(kill: () => void): AbortSignal {
  const stopping = new AbortController();
  let askedAtMs = 0;
  const ask = () => {
    if (!stopping.signal.aborted) {
      askedAtMs = performance.now();
      stopping.abort();
    } else if (performance.now() - askedAtMs > ECHO_MS_MAX) process.exit(130);
  };
  for (const signal of SIGNALS) process.on(signal, ask);
  process.once("disconnect", ask);
  process.once("exit", kill);
  // The terminal may be gone while the parts still drain.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);
  return stopping.signal;
}
