/** The five tones a state can have. The tone colours an icon and a word; it never stands alone. */

export type Tone = "good" | "warn" | "bad" | "none" | "active";
