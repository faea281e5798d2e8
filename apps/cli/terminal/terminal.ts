/** Where a command writes: results to standard output, everything about the work to standard error. */

export type TerminalMode = "text" | "json";

export type Terminal = {
  readonly mode: TerminalMode;
  /** Somebody watches standard error. */
  readonly isWatched: boolean;
  /** Somebody can answer questions. */
  readonly canAsk: boolean;
  columns(): number;
  /** A line of the result, for people; says nothing in JSON mode. */
  print(line?: string): void;
  /** A line about the work, not part of the result; says nothing in JSON mode. */
  note(line: string): void;
  /** The result for a program, one JSON document on a line; says nothing in text mode. */
  result(value: unknown): void;
  /** Raw text to standard error: progress lines, questions. */
  writeError(text: string): void;
};

export type TerminalStreams = {
  readonly output: Pick<NodeJS.WriteStream, "write">;
  readonly error: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;
  readonly input: Pick<NodeJS.ReadStream, "isTTY">;
};

const COLUMNS_WITHOUT_TERMINAL = 110;

export function createTerminal(mode: TerminalMode, streams: TerminalStreams = processStreams()): Terminal {
  const { output, error, input } = streams;
  const isWatched = error.isTTY && process.env["TERM"] !== "dumb";
  return {
    mode,
    isWatched,
    canAsk: isWatched && input.isTTY,
    columns: () => (isWatched ? error.columns : COLUMNS_WITHOUT_TERMINAL),
    print: (line = "") => {
      if (mode === "text") output.write(`${line}\n`);
    },
    note: (line) => {
      if (mode === "text") error.write(`${line}\n`);
    },
    result: (value) => {
      if (mode === "json") output.write(`${JSON.stringify(value)}\n`);
    },
    writeError: (text) => {
      error.write(text);
    },
  };
}

function processStreams(): TerminalStreams {
  return { output: process.stdout, error: process.stderr, input: process.stdin };
}
