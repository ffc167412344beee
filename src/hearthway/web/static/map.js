// The map: the household's own atlas on a canvas. Roads come from the node; there are no tiles and no other host.

const METRES_PER_DEGREE = 111195;
const MAX_BOX_DEG = 0.9;
const MIN_SCALE = 0.0004; // pixels a metre
const MAX_SCALE = 4;
const INSET = { left: 36, right: 74, top: 72, bottom: 52 }; // pixels that other things stand on
const LABEL_FONT = "600 12.5px system-ui, sans-serif";

export class HouseholdMap {
  constructor(canvas, attribution, offmap) {
    this.canvas = canvas;
    this.offmap = offmap;
    this.attribution = attribution;
    this.context = canvas.getContext("2d");
    this.onChoose = () => {};
    this.centre = null; // latitude, longitude
    this.scale = 0.3;
    this.held = false; // the person moved it: it no longer follows
    this.shapes = { roads: [], pois: [] };
    this.box = null; // what the shapes cover
    this.loading = false;
    this.what = { position: null, track: [], ahead: [], destination: null };
    this.options = [];
    this.chosen = 0;
    this.wanted = false;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    this.#listen();
  }

  show(what, options, chosen) {
    const fresh = options.map((option) => option.osm_id).join() !== this.options.map((option) => option.osm_id).join();
    this.what = what;
    this.options = options;
    this.chosen = chosen;
    if (fresh) this.held = false;
    if (!this.held) this.#follow();
    this.#describe();
    this.redraw();
  }

  fit() { this.held = false; this.#follow(); this.redraw(); }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.centre) return;
    const [lat, lon] = this.#ground(x, y);
    this.scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.scale * factor));
    const [nowX, nowY] = this.#screen([lat, lon]);
    this.#pan(x - nowX, y - nowY);
    this.held = true;
    this.redraw();
  }

  get width() { return this.canvas.clientWidth; }
  get height() { return this.canvas.clientHeight; }

  redraw() {
    if (this.wanted) return;
    this.wanted = true;
    requestAnimationFrame(() => { this.wanted = false; this.#draw(); });
  }

  // With something to choose, the choice is what is shown; else the person, with some ground around.
  #follow() {
    const points = [];
    if (this.options.length) {
      for (const option of this.options) points.push([option.lat, option.lon]);
      if (this.what.destination) points.push(this.what.destination.at);
      if (this.what.position) points.push(this.what.position);
    } else if (this.what.position) {
      points.push(this.what.position, ...this.what.track.slice(-60));
    }
    if (!points.length) return;
    const lats = points.map((point) => point[0]);
    const lons = points.map((point) => point[1]);
    const [south, north, west, east] = [Math.min(...lats), Math.max(...lats), Math.min(...lons), Math.max(...lons)];
    this.centre = [(south + north) / 2, (west + east) / 2];
    const high = Math.max(250, (north - south) * METRES_PER_DEGREE);
    const wide = Math.max(250, (east - west) * METRES_PER_DEGREE * this.#squeeze());
    const [left, right] = [INSET.left, INSET.right];
    const [top, bottom] = [INSET.top, INSET.bottom];
    const fits = Math.min((this.width - left - right) / wide, (this.height - top - bottom) / high, 0.9);
    this.scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, fits));
    this.#pan((left - right) / 2, (top - bottom) / 2); // clear of the buttons and the line above
  }

  #squeeze() { return Math.max(0.05, Math.cos((this.centre[0] * Math.PI) / 180)); }

  #screen([lat, lon]) {
    return [
      this.width / 2 + (lon - this.centre[1]) * METRES_PER_DEGREE * this.#squeeze() * this.scale,
      this.height / 2 - (lat - this.centre[0]) * METRES_PER_DEGREE * this.scale,
    ];
  }

  #ground(x, y) {
    return [
      this.centre[0] - (y - this.height / 2) / (METRES_PER_DEGREE * this.scale),
      this.centre[1] + (x - this.width / 2) / (METRES_PER_DEGREE * this.#squeeze() * this.scale),
    ];
  }

  #pan(x, y) {
    const [lat, lon] = this.#ground(this.width / 2 - x, this.height / 2 - y);
    this.centre = [Math.max(-89, Math.min(89, lat)), Math.max(-180, Math.min(180, lon))];
  }

  async #load() {
    if (this.loading || !this.centre || !this.width) return;
    const [north, west] = this.#ground(0, 0);
    const [south, east] = this.#ground(this.width, this.height);
    if (this.box && south >= this.box[0] && west >= this.box[1] && north <= this.box[2] && east <= this.box[3]) return;
    if (north - south > MAX_BOX_DEG || east - west > 2 * MAX_BOX_DEG) return;
    const high = Math.min((north - south) / 2, (MAX_BOX_DEG - (north - south)) / 2);
    const wide = Math.min((east - west) / 2, (2 * MAX_BOX_DEG - (east - west)) / 2);
    const box = [Math.max(-90, south - high), Math.max(-180, west - wide), Math.min(90, north + high), Math.min(180, east + wide)];
    this.loading = true;
    try {
      const ask = new URLSearchParams({ south: box[0], west: box[1], north: box[2], east: box[3] });
      const response = await fetch(`/api/map?${ask}`);
      if (response.ok) {
        this.shapes = await response.json();
        this.attribution.textContent = this.shapes.attribution;
      }
      this.box = box; // asked and answered: not again for the same ground
      this.redraw();
    } catch {
      setTimeout(() => this.redraw(), 3000);
    } finally {
      this.loading = false;
    }
  }

  #draw() {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      if (!this.held) this.#follow();
    }
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--map-${name}`).trim();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colour("ground");
    context.fillRect(0, 0, this.width, this.height);
    if (!this.centre) return;
    this.#load();
    context.lineCap = context.lineJoin = "round";

    const grow = Math.min(2.2, Math.max(0.55, Math.sqrt(this.scale / 0.35)));
    const widths = [5, 3.6, 2.2];
    let seen = false;
    for (const pass of ["edge", "road"]) {
      for (const level of [2, 1, 0]) {
        context.beginPath();
        for (const [of, points] of this.shapes.roads) if (Math.min(2, of) === level) seen = this.#path(points) || seen;
        context.strokeStyle = colour(pass === "edge" ? "edge" : `road${level}`);
        context.lineWidth = widths[level] * grow + (pass === "edge" ? 1.4 : 0);
        context.stroke();
      }
    }
    this.offmap.hidden = seen || !this.box;
    if (this.scale > 0.12) {
      context.fillStyle = colour("poi");
      for (const poi of this.shapes.pois) {
        const [x, y] = this.#screen([poi[2], poi[3]]);
        context.beginPath();
        context.arc(x, y, 2.2, 0, 7);
        context.fill();
      }
    }
    this.#line(this.what.ahead, colour("ahead"), 4, [1, 8]);
    this.#line(this.what.track, colour("halo"), 8, []);
    this.#line(this.what.track, colour("track"), 4.5, []);
    if (this.what.destination) this.#flag(colour);
    for (let index = this.options.length - 1; index >= 0; index -= 1) if (index !== this.chosen) this.#pin(index, colour);
    if (this.options[this.chosen]) this.#pin(this.chosen, colour);
    if (this.what.position) this.#person(colour);
  }

  // Adds a line to the path; says whether any of it is in view.
  #path(points) {
    let seen = false;
    points.forEach((point, index) => {
      const [x, y] = this.#screen(point);
      if (index) this.context.lineTo(x, y);
      else this.context.moveTo(x, y);
      seen ||= x >= 0 && y >= 0 && x <= this.width && y <= this.height;
    });
    return seen;
  }

  #line(points, colour, width, dash) {
    if (points.length < 2) return;
    const { context } = this;
    context.beginPath();
    this.#path(points);
    context.setLineDash(dash);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
    context.setLineDash([]);
  }

  #pin(index, colour) {
    const { context } = this;
    const option = this.options[index];
    const on = index === this.chosen;
    const [x, y] = this.#screen([option.lat, option.lon]);
    const radius = on ? 15 : 11;
    context.beginPath();
    context.arc(x, y, radius + 2.5, 0, 7);
    context.fillStyle = colour("halo");
    context.fill();
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.fillStyle = colour(on ? "chosen" : "pin");
    context.fill();
    context.fillStyle = colour(on ? "onchosen" : "onpin");
    context.font = `600 ${on ? 15 : 12}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(String(option.n), x, y + 0.5);
    if (on) this.#label(option.name, x, y + radius + 14, colour);
  }

  #flag(colour) {
    const { context } = this;
    const [x, y] = this.#screen(this.what.destination.at);
    context.beginPath();
    context.arc(x, y, 9, 0, 7);
    context.fillStyle = colour("halo");
    context.fill();
    context.strokeStyle = colour("flag");
    context.lineWidth = 3;
    context.stroke();
    context.beginPath();
    context.arc(x, y, 3.5, 0, 7);
    context.fillStyle = colour("flag");
    context.fill();
    const { label } = this.what.destination;
    if (!label) return;
    const free = [y - 20, y + 21].filter((at) => this.#isFree(label, x, at));
    if (free.length) this.#label(label, x, free[0], colour); // else the card's heading says it
  }

  // Would a label there hide a pin, or the name of the chosen one?
  #isFree(text, x, y) {
    const half = this.#half(text);
    return this.options.every((option, index) => {
      const [px, py] = this.#screen([option.lat, option.lon]);
      const pin = Math.abs(px - x) < half + 18 && Math.abs(py - y) < 24;
      const name = index === this.chosen && Math.abs(px - x) < half + this.#half(option.name) + 8 && Math.abs(py + 29 - y) < 18;
      return !pin && !name;
    });
  }

  #person(colour) {
    const { context } = this;
    const [x, y] = this.#screen(this.what.position);
    context.beginPath();
    context.arc(x, y, 18, 0, 7);
    context.fillStyle = colour("glow");
    context.fill();
    context.beginPath();
    context.arc(x, y, 8, 0, 7);
    context.fillStyle = colour("person");
    context.fill();
    context.strokeStyle = colour("halo");
    context.lineWidth = 3;
    context.stroke();
  }

  #half(text) {
    this.context.font = LABEL_FONT;
    return this.context.measureText(text).width / 2;
  }

  #label(text, x, y, colour) {
    const { context } = this;
    const half = this.#half(text);
    context.textAlign = "center";
    context.textBaseline = "middle";
    const inside = Math.max(half + 6, Math.min(this.width - half - 6, x));
    context.lineWidth = 4;
    context.strokeStyle = colour("halo");
    context.strokeText(text, inside, y);
    context.fillStyle = colour("label");
    context.fillText(text, inside, y);
  }

  #describe() {
    const parts = [];
    if (this.what.position) parts.push("your position");
    if (this.what.track.length > 1) parts.push("the way so far");
    if (this.what.destination) parts.push(`the likely destination${this.what.destination.label ? ` ${this.what.destination.label}` : ""}`);
    for (const option of this.options) parts.push(`${option.n} ${option.name}`);
    this.canvas.setAttribute("aria-label", parts.length ? `Map with ${parts.join(", ")}` : "Map: no position yet");
  }

  #listen() {
    const { canvas } = this;
    const fingers = new Map();
    let moved = 0;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * 0.0015), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      if (!fingers.size) moved = 0;
      fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before || !this.centre) return;
      const now = [event.offsetX, event.offsetY];
      const others = [...fingers].filter(([id]) => id !== event.pointerId);
      if (others.length) {
        const [[, other]] = others;
        const span = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
        this.zoom(span(now) / span(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
        moved = 99;
      } else {
        moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
        if (moved > 4) { this.#pan(now[0] - before[0], now[1] - before[1]); this.held = true; this.redraw(); }
      }
      fingers.set(event.pointerId, now);
    });
    const lift = (event) => {
      const down = fingers.delete(event.pointerId);
      if (down && event.type === "pointerup" && moved <= 4 && this.centre) this.#tap(event.offsetX, event.offsetY);
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
      if (step && this.centre) { event.preventDefault(); this.#pan(...step); this.held = true; this.redraw(); }
      if (event.key === "+" || event.key === "=") this.zoom(1.5);
      if (event.key === "-") this.zoom(1 / 1.5);
    });
  }

  #tap(x, y) {
    const near = this.options
      .map((option, index) => {
        const [px, py] = this.#screen([option.lat, option.lon]);
        return [Math.hypot(px - x, py - y), index];
      })
      .sort((a, b) => a[0] - b[0])[0];
    if (near && near[0] < 24) this.onChoose(near[1]);
  }
}
