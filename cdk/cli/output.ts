export type Streams = {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
};

/** Where a command's words go: people read what `render` makes, machines (`--json`) the value itself. */
export type Output = {
  readonly isJson: () => boolean;
  readonly print: <T>(value: T, render: (value: T) => string) => void;
  /** A piece of an answer as it comes, for people only. */
  readonly write: (piece: string) => void;
  /** Progress and hints, for people only; they never mix with what is printed. */
  readonly note: (text: string) => void;
};

export function createOutput(streams: Streams, isJson: () => boolean): Output {
  return {
    isJson,
    print: (value, render) => streams.stdout(`${isJson() ? JSON.stringify(value, null, 2) : render(value)}\n`),
    write: (piece) => {
      if (!isJson()) streams.stdout(printableText(piece));
    },
    note: (text) => {
      if (!isJson()) streams.stderr(`${text}\n`);
    },
  };
}

/** Aligned columns; those that hold only numbers are aligned on the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [head, ...rows].map((row) => row.map((cell) => printable(String(cell))));
  const columns = head.map((_, column) => ({
    width: Math.max(...lines.map((line) => line[column]?.length ?? 0)),
    isNumber: rows.length > 0 && rows.every((row) => /^[\d.,]+ ?%?$/.test(String(row[column]))),
  }));
  const aligned = (line: readonly string[]) =>
    columns.map(({ width, isNumber }, column) => (isNumber ? (line[column] ?? "").padStart(width) : (line[column] ?? "").padEnd(width)));
  return lines.map((line) => aligned(line).join("  ").trimEnd()).join("\n");
}

/** Names come from other people: an escape sequence in one must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\u{fffd}");
}

/** The same for what a model writes, whose line breaks and tabs are its own. */
export function printableText(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, "\u{fffd}");
}

/** 22902849 bytes are `22.9`. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
