// Sets the colour scheme before the first paint, so that a dark console never flashes white. It is a file of its own, not
// an inline script, so that the server's content security policy can forbid inline scripts.
(function () {
  var stored = null;
  try {
    stored = localStorage.getItem("mantine-color-scheme-value");
  } catch {
    // Storage may be forbidden in this browser; the system's scheme is right then.
  }
  var dark = stored === "dark" || (stored !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
