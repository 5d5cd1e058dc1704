// Streams rest while nobody looks: a browser has only six connections for one address, and each
// hidden tab would hold some of them.
const REST = 15_000;

export function whileVisible({ shown, hidden }) {
  let timer = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(hidden, REST);
    else shown();
  });
}
