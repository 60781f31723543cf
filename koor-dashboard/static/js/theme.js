// Runs before the first paint, so that a chosen theme never flashes in late. No module: those wait for the document.
(() => {
  try {
    const chosen = localStorage.getItem("koor-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();
