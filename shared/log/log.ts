import { Failure } from "../base/failure.ts";

/** What a process tells its operators; `error` may be anything that was thrown. */
export type Log = (level: "info" | "warn" | "error", message: string, fields?: Record<string, unknown>) => void;

/** One JSON object a line: what log stores read. Errors keep their stack here and nowhere else. */
export const logJson: Log = (level, message, fields = {}) => {
  const { error, ...rest } = fields;
  const told = error instanceof Error ? { error: error.stack, cause: causeOf(error) } : { error };
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...rest, ...told })}\n`);
};

function causeOf(error: Error): string | undefined {
  return error.cause instanceof Error && !(error.cause instanceof Failure) ? error.cause.stack : undefined;
}
