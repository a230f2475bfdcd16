// Elements of the page, and numbers in words.

export const $ = (id) => document.getElementById(id);

export function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const seconds = (s) => (s < 90 ? `${Math.max(1, Math.round(s))} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`);
export const size = (bytes) => (bytes < 1e3 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

// begins with a capital, where the first word is no name
export const sentence = (text) => (/^[a-z]+ /.test(text) ? text[0].toUpperCase() + text.slice(1) : text);

// a message that goes by itself; errors have what was found, what was expected and how to fix it
export function told(error, good = false) {
  const { found, expected, fix } = error.content ?? {};
  const toast = element("div", { className: good ? "toast good" : "toast" },
    element("b", { textContent: sentence(found ?? error.message ?? String(error)) }),
    expected ? element("div", { textContent: `Expected: ${expected}` }) : null,
    fix ? element("div", { textContent: sentence(fix) }) : null,
    element("button", { className: "close", ariaLabel: "Close", textContent: "×", onclick: () => toast.remove() }));
  $("toasts").append(toast);
  while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => toast.remove(), good ? 4000 : 12000);
}

export const TABS = ["view", "label", "jobs"];

export function openTab(name) {
  for (const one of TABS) {
    $(`pane-${one}`).hidden = one !== name;
    $(`tab-${one}`).setAttribute("aria-selected", one === name);
    $(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  dispatchEvent(new CustomEvent("tab", { detail: name }));
}
