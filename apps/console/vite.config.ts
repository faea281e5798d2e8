/** How the console is bundled: one entry, lazy pages, Mantine's own CSS functions. */

import react from "@vitejs/plugin-react";
import postcssPresetMantine from "postcss-preset-mantine";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  css: { postcss: { plugins: [postcssPresetMantine()] } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    sourcemap: false,
    reportCompressedSize: false,
    // An inlined font would need `font-src data:` in the content security policy.
    assetsInlineLimit: 0,
    // noVNC decodes video in one large chunk that only the live screen loads.
    chunkSizeWarningLimit: 700,
  },
});
