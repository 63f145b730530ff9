/**
 * Makes elements. Text becomes text nodes and nothing else: no function here takes markup.
 *
 * @typedef {Node | string | number | null | undefined | false} Child
 */

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [properties] `class`, `data-…`, `aria-…` and other names with a dash become attributes; `on` holds
 *   listeners by event; the rest become properties of the element. null, undefined and false are left out.
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(/** @type {Record<string, EventListener>} */ (value))) {
        element.addEventListener(event, listener);
      }
    } else if (name === "class" || name === "role" || name === "for" || name.includes("-")) {
      element.setAttribute(name, value === true ? "" : String(value));
    } else {
      Reflect.set(element, name, value);
    }
  }
  put(element, ...children);
  return element;
}

/**
 * Puts children behind what an element has.
 *
 * @param {Node} element
 * @param {...Child} children
 */
export function put(element, ...children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)));
  }
}

/**
 * Replaces the children of an element.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  put(element, ...children);
}

/**
 * Makes a listener that does something in place of what the browser would do.
 *
 * @param {() => unknown} run
 * @returns {(event: Event) => void}
 */
export function instead(run) {
  return (event) => {
    event.preventDefault();
    run();
  };
}

/**
 * Makes an icon of one path in a square of 24.
 *
 * @param {string} path of the attribute `d`
 * @returns {SVGSVGElement} hidden from screen readers: the button around it has the name
 */
export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.appendChild(line);
  return svg;
}
