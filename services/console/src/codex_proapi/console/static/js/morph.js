// Makes one tree look like another with the fewest changes, so that focus, open menus, scroll
// positions and what somebody is typing survive a refresh. `data-keep` leaves an element alone, and so
// does `data-same` in the fresh tree: the server knows that it has not changed.
const ours = new Set(["open", "data-tip", "tabindex", "aria-busy"]);

export function morph(old, fresh) {
  if (old.hasAttribute("data-keep") || fresh.hasAttribute("data-same")) return;
  if (old.isEqualNode(fresh)) return;
  attributes(old, fresh);
  children(old, fresh);
}

function attributes(old, fresh) {
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value && !(ours.has(name) && old.hasAttribute(name))) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !ours.has(name)) old.removeAttribute(name);
  }
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE && node.id) || "";

function children(old, fresh) {
  const named = new Map();
  for (const child of old.children) if (child.id) named.set(child.id, child);
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    let found = key ? named.get(key) : place;
    while (!key && found && keyOf(found)) found = found.nextSibling;
    if (found && found.nodeType === wanted.nodeType && found.nodeName === wanted.nodeName) {
      if (found !== place) old.insertBefore(found, place);
      else place = place.nextSibling;
      update(found, wanted);
    } else {
      old.insertBefore(document.importNode(wanted, true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function update(old, fresh) {
  if (old.nodeType === Node.ELEMENT_NODE) morph(old, fresh);
  else if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
}
