/** One source through both programs: initial backup, change, incremental backup, full restore, in alternation. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { runProgram, type ProgramRun } from "../measure/program-run.ts";
import type { Measure, Unit } from "../measure/report.ts";
import { folderBytes } from "../measure/work-folder.ts";
import type { Contestant, SourceKind } from "./contestants.ts";

export type Rounds = {
  readonly kind: SourceKind;
  readonly source: string;
  readonly repeats: number;
  readonly ours: Contestant;
  readonly theirs: Contestant;
  readonly workFolder: string;
  readonly isCold: boolean;
  readonly change: () => Promise<void>;
  /** Throws unless `restored` is what `source` is now. */
  readonly assertSame: (restored: string) => Promise<void>;
  /** Throws unless other people's checker is content with our repository. */
  readonly assertSound: (repository: string) => Promise<void>;
  readonly say: (text: string) => void;
};

/** All measures of the source. Each step is done with every repository before the next step begins. */
export async function measureRounds(rounds: Rounds): Promise<readonly Measure[]> {
  const board = measureBoard(rounds.kind);
  await eachTurn(rounds, "initial backup", async (contestant, repository) => {
    await contestant.init(repository);
    await timed(rounds, board, contestant, "initial backup", () =>
      contestant.backup(repository, rounds.kind, rounds.source),
    );
    board.note(contestant, "size after initial backup", "bytes", await folderBytes(repository));
  });
  await rounds.change();
  await eachTurn(rounds, "incremental backup", async (contestant, repository) => {
    const before = await folderBytes(repository);
    await timed(rounds, board, contestant, "incremental backup", () =>
      contestant.backup(repository, rounds.kind, rounds.source),
    );
    const after = await folderBytes(repository);
    board.note(contestant, "stored by incremental backup", "bytes", after - before);
    board.note(contestant, "size after incremental backup", "bytes", after);
  });
  await eachTurn(rounds, "list of restore points", (contestant, repository) =>
    timed(rounds, board, contestant, "list of restore points", () => contestant.list(repository)),
  );
  await eachTurn(rounds, "full restore", async (contestant, repository) => {
    const target = join(rounds.workFolder, "restored");
    await timed(rounds, board, contestant, "full restore", async () => {
      const { run, restored } = await contestant.restore(repository, rounds.kind, rounds.source, target);
      await rounds.assertSame(restored);
      return run;
    });
    await rm(target, { recursive: true });
    if (contestant === rounds.ours) await rounds.assertSound(repository);
    await rm(repository, { recursive: true });
  });
  return board.measures();
}

/** Who begins changes every time, so that neither always finds the other's traces in the caches. */
async function eachTurn(
  { ours, theirs, repeats, kind, workFolder, say }: Rounds,
  step: string,
  work: (contestant: Contestant, repository: string) => Promise<void>,
): Promise<void> {
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const contestant of repeat % 2 === 0 ? [theirs, ours] : [ours, theirs]) {
      say(`${kind}: ${step}, ${contestant.name}, ${repeat + 1} of ${repeats}`);
      await work(contestant, join(workFolder, `${kind}-${contestant.name}-${repeat}`));
    }
  }
}

async function timed(
  { isCold }: Rounds,
  board: MeasureBoard,
  contestant: Contestant,
  step: string,
  run: () => Promise<ProgramRun>,
): Promise<void> {
  // What the step before left to be written must not be written during this one.
  await runProgram({ command: "sync", words: [] });
  if (isCold) await runProgram({ command: "sh", words: ["-c", "echo 3 > /proc/sys/vm/drop_caches"] });
  const { seconds, processorSeconds, peakBytes } = await run();
  board.note(contestant, step, "seconds", seconds);
  board.note(contestant, `${step}: processor time`, "seconds", processorSeconds);
  board.note(contestant, `${step}: peak memory`, "bytes", peakBytes);
}

type MeasureBoard = {
  note(contestant: Contestant, name: string, unit: Unit, value: number): void;
  measures(): readonly Measure[];
};

function measureBoard(kind: SourceKind): MeasureBoard {
  const noted = new Map<string, { unit: Unit; mainstay: number[]; restic: number[] }>();
  return {
    note: (contestant, name, unit, value) => {
      const row = noted.get(name) ?? { unit, mainstay: [], restic: [] };
      row[contestant.name].push(value);
      noted.set(name, row);
    },
    measures: () =>
      [...noted].map(([name, row]) => ({
        name: `${kind}: ${name}`,
        unit: row.unit,
        ours: row.mainstay,
        theirs: row.restic,
      })),
  };
}
