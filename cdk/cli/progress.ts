import { SingleBar } from "cli-progress";
import type { PublishStep } from "../../shared/clients/publish.ts";
import { megabytes, type Output } from "./output.ts";

const WORDS = { hashing: "reading ", sending: "sending ", checking: "checking" } as const satisfies Record<PublishStep["kind"], string>;

export type Progress = { readonly show: (step: PublishStep) => void; readonly end: () => void };

/** How far a publication is, on stderr: a bar for people at a terminal, one line a step for logs, nothing for machines. */
export function showProgress(output: Output): Progress {
  if (output.isJson()) return { show: () => {}, end: () => {} };
  return process.stderr.isTTY ? showBar(output) : showLines(output);
}

function showLines(output: Output): Progress {
  let last: PublishStep["kind"] | undefined;
  return {
    show: (step) => {
      if (step.kind !== last) output.note(lineOf(step));
      last = step.kind;
    },
    end: () => {},
  };
}

function showBar(output: Output): Progress {
  let bar:
    | { readonly kind: PublishStep["kind"]; readonly bar: SingleBar; readonly startedAtMs: number; readonly bytesBefore: number }
    | undefined;
  const end = () => {
    bar?.bar.stop();
    bar = undefined;
  };
  return {
    end,
    show: (step) => {
      if (step.kind === "checking") {
        if (bar === undefined) return;
        end();
        return output.note(lineOf(step));
      }
      if (bar?.kind !== step.kind) {
        end();
        bar = { kind: step.kind, bar: openBar(step.kind), startedAtMs: Date.now(), bytesBefore: step.bytesDone };
        bar.bar.start(step.bytesTotal, step.bytesDone, { done: "", rate: "" });
      }
      const rate = (step.bytesDone - bar.bytesBefore) / Math.max(1, Date.now() - bar.startedAtMs) / 1000;
      bar.bar.update(step.bytesDone, {
        done: `${megabytes(step.bytesDone)}/${megabytes(step.bytesTotal)} MB`,
        rate: `${rate.toFixed(1)} MB/s`,
      });
    },
  };
}

function openBar(kind: PublishStep["kind"]): SingleBar {
  return new SingleBar({ format: `${WORDS[kind]} {bar} {percentage}% {done} {rate}`, stream: process.stderr, hideCursor: true });
}

function lineOf(step: PublishStep): string {
  if (step.kind === "checking") return `${WORDS.checking} ${step.version.model}@${step.version.number}`;
  return `${WORDS[step.kind]} ${megabytes(step.bytesTotal)} MB, ${megabytes(step.bytesTotal - step.bytesDone)} MB of them to go`;
}
