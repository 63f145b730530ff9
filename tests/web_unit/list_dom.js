/** As much of a document as the modules of the message list use, for tests without a browser. */

class Node {
  /** @param {string} tag */
  constructor(tag) {
    this.tag = tag;
    /** @type {any[]} */
    this.children = [];
    /** @type {Record<string, string>} */
    this.attributes = {};
    /** @type {Record<string, string>} */
    this.dataset = {};
    this.listeners = {};
    this.classes = new Set();
    this.classList = { add: (/** @type {string} */ name) => this.classes.add(name) };
  }
  get className() {
    return [...this.classes].join(" ");
  }
  /** @param {string} name @param {string} value */
  setAttribute(name, value) {
    if (name === "class") this.classes = new Set(value.split(" "));
    else this.attributes[name] = value;
  }
  addEventListener() {}
  /** @param {...any} nodes */
  append(...nodes) {
    for (const node of nodes) this.children.push(typeof node === "string" ? { text: node } : node);
  }
  /** @param {any} node */
  appendChild(node) {
    this.children.push(node);
  }
}

Object.assign(globalThis, {
  document: {
    createElement: (/** @type {string} */ tag) => new Node(tag),
    createTextNode: (/** @type {string} */ text) => ({ text }),
  },
});

/** @param {unknown} condition @param {string} [why] */
export function assert(condition, why = "not so") {
  if (!condition) throw new Error(why);
}

/** @param {unknown} found @param {unknown} wanted */
export function assertEquals(found, wanted) {
  assert(found === wanted, `${JSON.stringify(found)}\nwanted ${JSON.stringify(wanted)}`);
}
