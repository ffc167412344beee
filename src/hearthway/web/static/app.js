// The page: draws what the node says, and takes the person's answer. No request leaves the node it came from.
import { HouseholdMap } from "./map.js";

const byId = (id) => document.getElementById(id);
const map = new HouseholdMap(byId("map"), byId("attribution"), byId("offmap"));
let state = null;
let chosen = 0; // index of the option meant
let sending = false;

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// ---- the moment -------------------------------------------------------------------------------------------------

const WORDS = {
  "accept": ["Good. Have a nice meal.", "The choice is kept on this node and counts next time."],
  "dismiss": ["Dismissed.", "It counts next time."],
  "not-now": ["Not now.", "It keeps quiet for a while."],
  "never-here": ["Never there again.", "The place will not be suggested to you any more."],
  "ignored": ["No answer.", "That is an answer too: it counts next time."],
};

function drawMoment(moment) {
  const options = moment.options;
  chosen = Math.min(chosen, Math.max(0, options.length - 1));
  return [
    h("p", { class: "eyebrow" }, h("time", {}, moment.clock), [moment.need, moment.before].filter(Boolean).map((part) => ` · ${part}`)),
    h("h2", { id: "headline" }, moment.title),
    moment.odds ? h("p", { class: "odds" }, moment.odds) : null,
    moment.lines.map((line) => h("p", { class: "line" }, line)),
    options.length ? h("ol", { class: "options", "aria-label": "Options" }, options.map(drawOption)) : null,
    drawBattery(moment.battery),
    moment.answered ? drawAnswered(moment.answered) : drawButtons(moment),
  ];
}

function drawOption(option, index) {
  const choose = () => { chosen = index; draw(); byId(`option-${index}`)?.focus(); };
  return h("li", {},
    h("button", {
      id: `option-${index}`, type: "button", class: "option", "aria-pressed": String(index === chosen), on: { click: choose },
    },
      h("span", { class: "number", "aria-hidden": "true" }, String(option.n)),
      h("span", { class: "what" },
        h("span", { class: "name" }, option.name),
        h("span", { class: "kind" }, `${option.kind} · ${option.reach} · there at ${option.arrive}`),
        h("span", { class: "facts" }, option.facts.map((fact) =>
          h("span", { class: `fact ${fact.kind}`, title: fact.title || null }, fact.words)))),
    ));
}

function drawBattery(battery) {
  if (!battery) return null;
  const bar = h("span", { class: "fill" });
  bar.style.width = `${Math.max(2, Math.min(100, battery.soc_pct))}%`;
  const gauge = h("span", { class: "gauge", "aria-hidden": "true" }, bar);
  if (battery.home_pct !== null) {
    const mark = h("span", { class: "mark" });
    mark.style.left = `${Math.max(0, Math.min(100, battery.home_pct))}%`;
    gauge.append(mark);
  }
  const words = battery.words.split(/ (?=\()/).flatMap((part, i) => i ? [" ", h("span", { class: "whole" }, part)] : [part]);
  return h("p", { class: "battery" }, gauge, h("span", {}, words), h("span", { class: "age" }, `${battery.age} old`));
}

function drawButtons(moment) {
  const option = moment.options[chosen];
  const name = option ? option.name : "";
  const button = (kind, words, cls, label) => h("button", {
    type: "button", id: `answer-${kind}`, class: cls, "aria-label": label || null, on: { click: () => answer(kind) },
  }, words);
  return h("div", { class: "buttons" },
    option ? button("accept", `Go to ${name}`, "primary") : null,
    h("div", { class: "others" },
      h("button", { type: "button", id: "why", class: "quiet", "aria-haspopup": "dialog", on: { click: openReceipt } }, "Why?"),
      button("not-now", "Not now", "quiet"),
      option ? button("never-here", "Never here", "quiet", `Never suggest ${name} again`) : null,
    ),
    h("p", { id: "answer-error", class: "error", role: "alert", hidden: true }));
}

function drawAnswered(kind) {
  const [said, then] = WORDS[kind] || [kind, ""];
  return h("div", { class: "answered" },
    h("p", {}, h("strong", {}, said), " ", then),
    h("button", { type: "button", id: "why", class: "quiet", "aria-haspopup": "dialog", on: { click: openReceipt } }, "Why?"));
}

function drawSilence({ silence, onward, rough }) {
  return [
    h("p", { class: "eyebrow" }, silence?.clock ? h("time", {}, silence.clock) : "Now"),
    h("h2", { id: "headline" }, "Nothing to say."),
    h("p", { class: "line" }, silence ? silence.words : "No drive has given it a reason to speak yet."),
    onward ? h("p", { id: "onward", class: "line" }, onward) : null,
    rough ? h("p", { id: "rough", class: "line" }, rough) : null,
    h("p", { class: "aside" }, "Silence is the default: a wrong word costs more than a missed one."),
  ];
}

async function answer(kind) {
  if (sending || !state?.moment) return;
  sending = true;
  const option = state.moment.options[chosen];
  const whole = kind === "not-now" || !option;
  try {
    await ask("/api/answer", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ suggestion_id: state.moment.id, kind, osm_id: whole ? "" : option.osm_id }),
    });
    state.moment.answered = kind;
    draw();
  } catch (problem) {
    const shown = byId("answer-error");
    if (shown) { shown.textContent = problem.message; shown.hidden = false; }
  } finally {
    sending = false;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Error("The node does not answer. Try again in a moment.");
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(`${said.error || "The node refused."} ${said.next_step || ""}`.trim());
  return said;
}

// ---- the receipt ------------------------------------------------------------------------------------------------

const UNMEASURED = "not measurable here";
const dialog = byId("receipt");
byId("receipt-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

async function openReceipt() {
  if (!state?.moment) return;
  const body = byId("receipt-body");
  body.replaceChildren(h("p", { class: "aside" }, "Reading the receipt …"));
  if (!dialog.open) dialog.showModal();
  try {
    body.replaceChildren(...drawReceipt(await ask(`/api/why/${encodeURIComponent(state.moment.id)}`)));
  } catch (problem) {
    body.replaceChildren(h("p", { class: "error", role: "alert" }, problem.message));
  }
}

function drawReceipt(why) {
  return [
    h("p", { class: "eyebrow" }, h("time", {}, why.clock), ` · ${why.id.slice(0, 12)}`),
    h("p", { class: "said" }, why.headline),
    why.verified ? h("p", { class: why.sound ? "verified" : "error", role: why.sound ? null : "alert" }, why.verified) : null,
    drawTraffic(why.traffic),
    section("Why now", [
      reasons(why.reasons),
      h("p", { class: "aside" }, `Useful with p ${why.gate.p_useful}: a word now is worth ${why.gate.utility} min to you; ${why.gate.threshold} min are needed to interrupt.`),
    ]),
    why.options.some((option) => option.reasons.length)
      ? section("Why these", why.options.map((option) => h("div", { class: "because" },
        h("h4", {}, `${option.n}  ${option.name}`), h("p", { class: "mono" }, option.osm_id), reasons(option.reasons))))
      : null,
    section("What was used", table(["Field", "From", "Age"], why.fields.map((row) =>
      [code(row.key), row.source, row.age]))),
    section("What crossed between nodes", table(["Field", "Way", "Rule"], why.crossings.map((row) =>
      [code(row.key, row.count > 1 ? ` × ${row.count}` : ""), `${row.from} → ${row.to}`, h("span", {}, row.rule, h("span", { class: "age" }, ` ${row.purpose}`))]))),
    section("What ran where", table(["Step", "Node", "Code", "Learned state"], why.computations.map((row) =>
      [row.stage, row.used ? row.node : `${row.node} (given it, answer not used)`, hash(row.code), hash(row.model)]))),
    why.disclosures.length
      ? section("What others could learn", h("ul", {}, why.disclosures.map((row) => h("li", {}, `${row.peer}: ${row.learned.join(", ") || "nothing"}`))))
      : null,
  ].filter(Boolean);
}

function drawTraffic(traffic) {
  if (!traffic.length) return null;
  return h("div", { class: "traffic" }, traffic.map((node) => h("div", { class: "tile" },
    h("p", { class: "role" }, node.role || node.node),
    h("p", { class: node.internet === UNMEASURED ? "figure unknown" : "figure" }, node.internet),
    h("p", { class: "age" }, `to the internet${node.refused === UNMEASURED ? "" : `, ${node.refused} attempts refused`}`),
    node.bytes_to.map((peer) => h("p", { class: "peerbytes" }, h("span", {}, `→ ${peer.node}`), h("span", {}, peer.words))),
    node.latency === UNMEASURED ? null : h("p", { class: "age" }, `computed in ${node.latency}`),
    node.how ? h("p", { class: "age" }, node.how) : null)));
}

function reasons(list) {
  if (!list.length) return h("p", { class: "aside" }, "Nothing weighed in particular.");
  const most = Math.max(...list.map((reason) => Math.abs(reason.weight)), 1e-9);
  return h("ul", { class: "reasons" }, list.map((reason) => {
    const bar = h("span", { class: reason.weight < 0 ? "weight less" : "weight" });
    bar.style.width = `${Math.max(2, (100 * Math.abs(reason.weight)) / most)}%`;
    return h("li", {}, h("span", { class: "words" }, reason.words),
      h("span", { class: "track", "aria-hidden": "true" }, bar),
      h("span", { class: "value" }, `${reason.weight > 0 ? "+" : "−"}${Math.abs(reason.weight)} min`));
  }));
}

function section(title, content) { return h("section", {}, h("h3", {}, title), content); }
function code(text, more = "") { return h("span", {}, h("code", {}, text), more); }
function hash(text) { return text ? h("code", { title: text }, text.slice(0, 10)) : "–"; }

function table(heads, rows) {
  if (!rows.length) return h("p", { class: "aside" }, "Nothing.");
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
}

// ---- the whole page ---------------------------------------------------------------------------------------------

let spoken = "";
let drawn = "";

function draw() {
  byId("where").textContent = [state.person ? `${state.person}’s ${state.role}` : state.role, state.clock].filter(Boolean).join(" · ");
  byId("where").title = state.node;
  document.body.classList.toggle("glance", state.glance);
  byId("synthetic").hidden = !state.synthetic;
  byId("peers").replaceChildren(...state.peers.map((peer) => h("li", {
    class: peer.alive ? "alive" : "gone", title: peer.detail || peer.id,
  }, peer.role || peer.id, h("span", { class: "unseen" }, peer.alive ? " is there" : ` is not there. ${peer.detail}`))));
  byId("doing").textContent = state.doing;
  byId("doing").hidden = !state.doing;

  // The card is drawn anew only when it changes: a button must not vanish under a finger at every position.
  const card = JSON.stringify([state.moment, state.moment ? null : [state.silence, state.onward, state.rough], chosen]);
  if (card !== drawn) {
    const held = document.activeElement?.id;
    drawn = card;
    byId("moment").classList.toggle("quietly", !state.moment);
    byId("moment").replaceChildren(...(state.moment ? drawMoment(state.moment) : drawSilence(state)).flat().filter(Boolean));
    if (held) byId(held)?.focus({ preventScroll: true });
  }
  const say = state.moment && !state.moment.answered ? state.moment.spoken : "";
  if (say !== spoken) { spoken = say; byId("spoken").textContent = say; }
  map.show(state.map, state.moment ? state.moment.options : [], chosen);
}

function listen() {
  const events = new EventSource("/events");
  events.addEventListener("state", (event) => {
    const before = state?.moment?.id;
    state = JSON.parse(event.data);
    if (state.moment?.id !== before) chosen = 0;
    byId("lost").hidden = true;
    document.body.classList.remove("stale");
    draw();
  });
  events.addEventListener("open", () => { byId("lost").hidden = true; document.body.classList.remove("stale"); });
  events.addEventListener("error", () => {
    byId("lost").hidden = false;
    document.body.classList.add("stale");
    // The browser comes back by itself after a broken line, but not after a refusal (the node starting anew).
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

map.onChoose = (index) => { chosen = index; draw(); };
byId("zoom-in").addEventListener("click", () => map.zoom(1.5));
byId("zoom-out").addEventListener("click", () => map.zoom(1 / 1.5));
byId("zoom-fit").addEventListener("click", () => map.fit());
listen();
