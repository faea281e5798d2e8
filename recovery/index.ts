export { overlayErrors } from "./overlay/errors.ts";
export { openOverlay, type OpenOverlayOptions, type Overlay } from "./overlay/overlay.ts";
export { parsePointName, type PointName } from "./serve/point-name.ts";
export { servePoint, type ServedPoint, type ServePointOptions } from "./serve/serve-point.ts";
