// Small helpers around the document. Text is only ever set as text, never as markup.

/** The element with this id; throws where the page does not have it. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return found;
}

/** A new element: attributes by name, `text` as text, `class` as class name. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Set text where it differs, so that nothing is read aloud or painted twice. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
