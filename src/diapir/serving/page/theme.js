// Dark or light, before anything is drawn: a classic script, which the browser waits for.
{
  let kept = null;
  try { kept = localStorage.getItem("diapir-theme"); } catch { /* private window */ }
  const dark = kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
