/**
 * Holds the row under the reader's eye where it is, whatever becomes higher, lower, more or less around it.
 *
 * The scroller lays its content out from the bottom (`column-reverse`): scrollTop is 0 at the end and negative above it. So
 * what is put in above moves nothing, and the end stays the end, in every engine, even while a finger or its momentum
 * scrolls and iOS ignores what is written to scrollTop. Only changes below the eye need a correction. On iOS, while it
 * moves, that is a transform; it becomes a scroll position when the movement has ended.
 *
 * @typedef {object} Mark
 * @property {HTMLElement} row
 * @property {number} y where the upper edge of its body belongs, in pixels of the view
 */

const SETTLED_MS = 160; // without a scroll event; `scrollend` is not in every Safari
const ROUNDED_PX = 0.48; // what scroll positions are rounded by; a little less, so that two errors stay below a pixel
const TOUCHED_MS = 1000; // a row that was touched so lately is the one that is looked at
const IOS = globalThis.CSS?.supports("-webkit-touch-callout", "none") ?? false;

/**
 * @param {HTMLElement} row
 * @returns {number} where its body begins: what stands above it, such as a new day, may come and go
 */
const topOf = (row) => bodyOf(row).top;
/** @param {HTMLElement} row */
const bodyOf = (row) => (row.querySelector(".main") ?? row).getBoundingClientRect();

export class Anchor {
  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} sheet its only child
   * @param {HTMLElement} rows holds the rows
   * @param {{above: HTMLElement, below: HTMLElement}} slack empty elements that give room where the content ends too early
   * @param {{moved: () => void, isWhole: () => boolean}} hooks moved: the reader has scrolled; isWhole: the newest row is there
   */
  constructor(scroller, sheet, rows, slack, hooks) {
    this.scroller = scroller;
    this.sheet = sheet;
    this.rows = rows;
    this.slack = slack;
    this.hooks = hooks;
    /** Whether the reader is at the end, and stays there. */
    this.following = true;
    /** @type {Mark[]} */
    this.marks = [];
    this.top = 0; // scrollTop when the marks were noted
    this.edge = 0; // the upper edge of the view
    this.offset = 0; // of the transform, pixels
    this.touches = false;
    this.room = { above: 0, below: 0 };
    /** @type {{row: Element | null, at: number}} */
    this.touched = { row: null, at: 0 };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.settling = undefined;
    this.observer = new ResizeObserver(() => this.restore());
    // Not the sheet: it has the room, which changes in the callback.
    this.observer.observe(scroller);
    for (const part of sheet.children) if (part !== slack.above && part !== slack.below) this.observer.observe(part);
    const passive = { passive: true };
    scroller.addEventListener("scroll", () => this.scrolled(), passive);
    scroller.addEventListener("scrollend", () => this.settle());
    for (const event of ["touchstart", "touchend", "touchcancel"]) {
      scroller.addEventListener(event, (each) => {
        this.touches = /** @type {TouchEvent} */ (each).touches.length > 0;
        if (!this.touches) this.wait();
      }, passive);
    }
    for (const event of ["pointerdown", "keydown"]) {
      scroller.addEventListener(event, (each) => this.touch(/** @type {Element} */ (each.target)), { capture: true });
    }
  }

  end() {
    this.observer.disconnect();
    clearTimeout(this.settling);
  }

  /** scrollTop without what is beyond the end: Chromium rounds to 1, iOS swings out. */
  get position() {
    return Math.min(0, this.scroller.scrollTop);
  }

  /** Whether a finger or its momentum is moving the list. */
  get isMoving() {
    return this.touches || this.settling !== undefined;
  }

  /** @param {Element} target what the reader has pressed: its row is held from now on */
  touch(target) {
    const row = target.closest(".row");
    this.touched = { row, at: performance.now() };
  }

  /**
   * Changes the content without moving what is looked at.
   *
   * @param {() => void} change
   */
  hold(change) {
    this.follow();
    change();
    this.restore();
  }

  /** Takes over what was scrolled since the last look, before anything is measured. */
  follow() {
    const { scrollHeight, clientHeight } = this.scroller;
    const delta = this.position - this.top;
    // A content that has become too short for where the reader was: it was the browser that scrolled.
    if (!delta || this.top < clientHeight - scrollHeight - 0.5) return;
    for (const mark of this.marks) mark.y -= delta;
    this.top += delta;
  }

  /** Puts the row that is looked at back to where it was. */
  restore() {
    const mark = this.following ? undefined : this.held();
    this.setRoom(0, 0);
    if (mark) {
      this.shift(topOf(mark.row) - mark.y);
      // Where the content ends too early, make room for what is missing.
      const missing = Math.round(topOf(mark.row) - mark.y);
      if (missing) {
        this.setRoom(Math.max(0, -missing), Math.max(0, missing));
        this.shift(topOf(mark.row) - mark.y);
      }
    }
    this.record(mark);
  }

  /**
   * Scrolls by so many pixels, at once.
   *
   * @param {number} delta
   */
  shift(delta) {
    if (Math.abs(delta) < 0.1 && (!this.offset || this.isMoving)) return;
    // Not by more than a view: the reader could come to where nothing is.
    if (IOS && this.isMoving && Math.abs(this.offset - delta) < this.scroller.clientHeight) {
      this.offset -= delta;
      this.sheet.style.transform = `translateY(${this.offset}px)`;
      return;
    }
    this.offset -= delta;
    this.flush();
  }

  /** @returns {Mark | undefined} the mark that decides: what was touched, or the first that begins in the upper half, or any */
  held() {
    const marks = this.marks.filter((mark) => mark.row.isConnected);
    if (performance.now() - this.touched.at < TOUCHED_MS) {
      const touched = marks.find((mark) => mark.row === this.touched.row);
      if (touched) return touched;
    }
    // A row that fills the upper half is read, even where its beginning is out of sight.
    return marks.find(({ y }) => y >= this.edge - 0.5 && y < this.edge + this.scroller.clientHeight / 2) ??
      // One that has become so low that it would be out of sight is not read any more.
      marks.find(({ row, y }) => y + bodyOf(row).height > this.edge) ?? marks[0];
  }

  /**
   * Notes where the rows are that can be seen.
   *
   * @param {Mark} [kept] this one belongs where it belonged, so that small errors do not add up
   */
  record(kept) {
    const { top, bottom } = this.scroller.getBoundingClientRect();
    this.edge = top;
    this.top = this.position;
    const rows = this.rows.children;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const row = rows[middle];
      if (row && row.getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    this.marks = [];
    for (; low < rows.length; low++) {
      const row = /** @type {HTMLElement} */ (rows[low]);
      if (!row.classList.contains("row")) continue;
      if (row.getBoundingClientRect().top >= bottom) break;
      const y = topOf(row);
      this.marks.push({ row, y: kept?.row === row ? Math.max(y - ROUNDED_PX, Math.min(y + ROUNDED_PX, kept.y)) : y });
    }
    if (!this.room.below && this.isAtEnd()) this.following = true;
  }

  scrolled() {
    const before = this.top;
    this.follow();
    if (this.top !== before) this.following = this.isAtEnd();
    if (this.offset && (this.top > -1 || this.following)) this.flush();
    // Both may have happened in one frame: something became higher, and the reader scrolled.
    const mark = this.held();
    if (!this.following && mark && Math.abs(topOf(mark.row) - mark.y) > 1) this.restore();
    else this.record(mark);
    this.wait();
    this.hooks.moved();
  }

  isAtEnd() {
    return this.scroller.scrollTop >= -2 && this.hooks.isWhole();
  }

  wait() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLED_MS);
  }

  /** Makes the transform a scroll position. */
  flush() {
    this.sheet.style.transform = "";
    // relative, so that a movement that is under way goes on
    this.scroller.scrollBy({ top: -this.offset, behavior: "instant" });
    this.offset = 0;
    this.top = this.position;
  }

  /** The movement has ended. */
  settle() {
    clearTimeout(this.settling);
    this.settling = undefined;
    if (this.touches) return;
    if (this.offset || this.room.above || this.room.below) this.hold(() => this.shift(0));
    this.hooks.moved();
  }

  /**
   * @param {number} above
   * @param {number} below pixels
   */
  setRoom(above, below) {
    if (above !== this.room.above) this.slack.above.style.height = `${above}px`;
    if (below !== this.room.below) this.slack.below.style.height = `${below}px`;
    this.room = { above, below };
  }

  /** Goes to the end and stays there. */
  toEnd() {
    this.setRoom(0, 0);
    this.flush();
    this.following = true;
    this.scroller.scrollTop = 0;
    this.record();
  }

  /**
   * Puts a row so many pixels below the upper edge.
   *
   * @param {Element} row
   * @param {number} y
   */
  place(row, y) {
    this.flush();
    const delta = row.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top - y;
    this.scroller.scrollTop += delta;
    this.following = this.isAtEnd();
    this.record();
  }
}
