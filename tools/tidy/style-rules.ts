/** Names that say nothing, files and functions that are too long, and text that belongs to one machine. */

import type { Graph } from "./graph.ts";
import { isGiven, type Finding, type SourceTree } from "./source-tree.ts";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
/** Files that we name; a configuration file of another program has the name that program wants. */
const HELD_TO_NAMES = /\.(?:tsx?|css|sh|sql|md)$/;
const HELD_TO_SIZE = /\.(?:tsx?|css|sh)$|(?:^|\/)mainstay$/;

/** A word of a file's or folder's name, and what to call the thing instead. */
const BANNED_WORDS: Readonly<Record<string, string>> = {
  utils: "the noun it is about, such as bytes or retry",
  util: "the noun it is about, such as bytes or retry",
  helpers: "the noun or verb it is about",
  helper: "the noun or verb it is about",
  common: "the subject that both share, or kit",
  misc: "one file per subject",
  base: "a function or a value that is passed in",
  manager: "what it does: pool, supervisor, schedule",
  services: "the subjects themselves",
  service: "what it serves",
  stuff: "the noun it is about",
  impl: "what sets it apart: memory, disk",
};

const BANNED_DECLARATION =
  /\b(?:class|function|type|interface|const)\s+(\w*(?:Manager|Helpers?|Utils?|Impl))\b/g;

/** Written in pieces, so that this file is not found by its own rule. */
const MACHINE_FACTS: readonly (readonly [pattern: RegExp, what: string])[] = [
  [
    new RegExp(String.raw`(?<![\w.$}])/(?:wo${"rk"}|home/[a-z][\w-]*|Us${"ers"}/\w+)/`),
    "a path of one machine",
  ],
  [
    new RegExp(String.raw`https?://[^\s/"']*(?:regis${"try"}|art${"ifact"}|nex${"us"})[^\s/"']*`),
    "a package registry's address",
  ],
];

export function nameFindings(tree: SourceTree): readonly Finding[] {
  const inPaths = [...tree.files.keys()]
    .filter((path) => HELD_TO_NAMES.test(path))
    .flatMap((path) =>
      wordsOf(path).flatMap((word) => {
        const instead = BANNED_WORDS[word];
        return instead === undefined
          ? []
          : [{ path, message: `The name has "${word}" in it; name ${instead}` }];
      }),
    );
  const inCode = [...tree.files]
    .filter(([path]) => /\.tsx?$/.test(path) && !isGiven(path))
    .flatMap(([path, text]) =>
      [...text.matchAll(BANNED_DECLARATION)].map((match) => ({
        path,
        line: lineOf(text, match.index),
        message: `"${match[1]}" says nothing; name what it does`,
      })),
    );
  return [...inPaths, ...inCode];
}

/** `vault/io/read-pack.test.ts` → vault, io, read, pack, test. */
function wordsOf(path: string): readonly string[] {
  return path.replace(/\.\w+$/, "").split(/[/.-]/);
}

export function sizeFindings(tree: SourceTree, graph: Graph): readonly Finding[] {
  const files = [...tree.files]
    .filter(([path]) => HELD_TO_SIZE.test(path) && !isGiven(path))
    .map(([path, text]) => ({ path, lineCount: text.trimEnd().split("\n").length }))
    .filter(({ lineCount }) => lineCount > FILE_LINES_MAX)
    .map(({ path, lineCount }) => ({
      path,
      message: `found ${lineCount} lines, wanted at most ${FILE_LINES_MAX}; split it by subject`,
    }));
  const functions = [...graph.sources].flatMap(([path, source]) =>
    source.functions
      .filter(({ lineCount }) => lineCount > FUNCTION_LINES_MAX)
      .map(({ name, line, lineCount }) => ({
        path,
        line,
        message: `found ${lineCount} lines in ${name}, wanted at most ${FUNCTION_LINES_MAX}; move a step into a function of its own`,
      })),
  );
  return [...files, ...functions];
}

export function machineFactFindings(tree: SourceTree): readonly Finding[] {
  const ours = [...tree.files].filter(([path]) => !path.includes("/testdata/"));
  return ours.flatMap(([path, text]) =>
    MACHINE_FACTS.flatMap(([pattern, what]) => {
      const match = pattern.exec(text);
      if (match === null) return [];
      return [
        {
          path,
          line: lineOf(text, match.index),
          message: `"${match[0]}" is ${what}; take it from the environment or leave it out`,
        },
      ];
    }),
  );
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
