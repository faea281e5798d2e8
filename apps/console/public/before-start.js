// Runs before everything else. It is a file of its own, not an inline script, so that the server's content security policy can
// forbid inline scripts.

// zod asks once, while the contract's schemas are made, whether it may compile code; asking is already a violation of that
// policy. This is the place where its configuration lies, and nothing imported could be sure to run before the contract.
globalThis.__zod_globalConfig = { jitless: true };

// Sets the colour scheme before the first paint, so that a dark console never flashes white.
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
