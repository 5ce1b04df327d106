/** Why Weir cannot start here, in one line that says what to do about it. `main.ts` prints it and exits with 1. */
export class StartRefusal extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StartRefusal";
  }
}

/** The code of a system error, such as `EROFS`; undefined for every other error. */
export function systemCodeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

const TROUBLES: ReadonlyMap<string, string> = new Map([
  ["EACCES", "may not be written by you"],
  ["EPERM", "may not be written by you"],
  ["EROFS", "lies on a read-only file system"],
  ["ENOSPC", "lies on a full disk"],
  ["EDQUOT", "is over its quota"],
  ["ENOTDIR", "is not a folder"],
  ["EEXIST", "is not a folder"],
  ["ENOENT", "cannot be made there"],
]);

/** Does file work below `dir`; what the system does not let us do becomes a refusal that says so. */
export function refusingTrouble<T>(dir: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const trouble = TROUBLES.get(systemCodeOf(cause) ?? "");
    if (trouble === undefined) throw cause;
    throw new StartRefusal(`the state folder ${dir} ${trouble}: mend that, or choose another with WEIR_STATE_DIR`, { cause });
  }
}
