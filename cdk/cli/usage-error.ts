/** The command was not understood: exit code 2, and nothing was sent. */
export class UsageError extends Error {}
