// What the loader calls; compiled to `../hot-path.wasm` by `../build.ts`.

export { polyFinish, polyStart, polyUpdate } from "./poly1305";
export { rabinPrepare, rabinScan } from "./rabin";
