/** The console's look as values: one accent, cool neutrals, small radii, dense sizes. Colours of states are in tokens.css. */

import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const cobalt: MantineColorsTuple = [
  "#eef1ff",
  "#dde3ff",
  "#bcc7ff",
  "#98a7ff",
  "#7c8dfb",
  "#4d61e8",
  "#3b4fd8",
  "#3142b8",
  "#293796",
  "#202b73",
];

const red: MantineColorsTuple = [
  "#fcebe9",
  "#f9d5d1",
  "#f2aca5",
  "#ea8077",
  "#e05f55",
  "#cf4238",
  "#b3261e",
  "#941f18",
  "#7a1913",
  "#611410",
];

const gray: MantineColorsTuple = [
  "#f7f8fa",
  "#f0f2f5",
  "#e5e8ed",
  "#d5dae1",
  "#b8bfca",
  "#8d95a3",
  "#5f6878",
  "#454d5b",
  "#2b323d",
  "#171c24",
];

const dark: MantineColorsTuple = [
  "#dfe3ea",
  "#bcc3cf",
  "#98a1b0",
  "#6d7687",
  "#2c333f",
  "#242a34",
  "#191e26",
  "#0e1116",
  "#0a0d11",
  "#06080a",
];

const SANS =
  '"Inter Variable", Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const MONO = '"JetBrains Mono Variable", ui-monospace, SFMono-Regular, Menlo, Consolas, monospace';

export const theme = createTheme({
  primaryColor: "cobalt",
  primaryShade: { light: 6, dark: 5 },
  colors: { cobalt, red, gray, dark },
  white: "#ffffff",
  black: "#151a22",
  fontFamily: SANS,
  fontFamilyMonospace: MONO,
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  lineHeights: { xs: "1.35", sm: "1.45", md: "1.5", lg: "1.5", xl: "1.5" },
  headings: {
    fontFamily: SANS,
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "1.375rem", lineHeight: "1.25" },
      h2: { fontSize: "1rem", lineHeight: "1.35" },
      h3: { fontSize: "0.875rem", lineHeight: "1.4" },
    },
  },
  spacing: { xs: "0.5rem", sm: "0.75rem", md: "1rem", lg: "1.5rem", xl: "2rem" },
  radius: { xs: "0.1875rem", sm: "0.3125rem", md: "0.5rem", lg: "0.75rem", xl: "1rem" },
  defaultRadius: "sm",
  cursorType: "pointer",
  focusRing: "auto",
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: "sm" } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
    Modal: {
      defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.5, blur: 1 }, radius: "md" },
      styles: { title: { fontSize: "1rem", fontWeight: 600, letterSpacing: "-0.011em" } },
    },
    Spotlight: { defaultProps: { overlayProps: { backgroundOpacity: 0.5, blur: 1 } } },
    Tooltip: {
      defaultProps: { openDelay: 250, withArrow: false, events: { hover: true, focus: true, touch: true } },
    },
    // Nearly every field is required; the few that are not say so in their label.
    TextInput: { defaultProps: { withAsterisk: false } },
    PasswordInput: { defaultProps: { withAsterisk: false } },
    Textarea: { defaultProps: { withAsterisk: false } },
    Select: { defaultProps: { withAsterisk: false, comboboxProps: { shadow: "md" } } },
    Menu: { defaultProps: { shadow: "md", position: "bottom-end" } },
  },
});

/** Soft and bare buttons take our accent in both schemes; Mantine's own mix turns nearly white on dark. */
export const cssVariables: CSSVariablesResolver = () => {
  const soft = {
    "--mantine-color-cobalt-light": "var(--accent-soft)",
    "--mantine-color-cobalt-light-hover": "var(--accent-soft)",
    "--mantine-color-cobalt-light-color": "var(--accent-text)",
    "--mantine-color-red-light": "var(--bad-soft)",
    "--mantine-color-red-light-hover": "var(--bad-soft)",
    "--mantine-color-red-light-color": "var(--bad)",
    "--mantine-color-yellow-light": "var(--warn-soft)",
    "--mantine-color-yellow-light-color": "var(--warn)",
  };
  return { variables: {}, light: soft, dark: soft };
};
