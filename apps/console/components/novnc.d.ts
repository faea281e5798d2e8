/** The part of noVNC's remote framebuffer client that the live screen uses; the package brings no types. */

declare module "@novnc/novnc" {
  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, url: string, options?: { readonly shared?: boolean });
    scaleViewport: boolean;
    focusOnClick: boolean;
    background: string;
    viewOnly: boolean;
    qualityLevel: number;
    disconnect(): void;
    focus(options?: FocusOptions): void;
    blur(): void;
    sendCtrlAltDel(): void;
    sendKey(keysym: number, code: string, down?: boolean): void;
    clipboardPasteFrom(text: string): void;
  }
}
