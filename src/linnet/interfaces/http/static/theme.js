// Runs before anything is painted, and so is no module: the theme that was chosen here, or else the system's own.
try {
  const chosen = localStorage.getItem("linnet.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // storage may be forbidden: then there is nothing to remember
}
