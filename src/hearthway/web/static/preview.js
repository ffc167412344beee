// While one types a question: how this browser's own copy of the node's student reads it. Nothing that is typed leaves the page.
const form = document.getElementById("ask");
const field = form.querySelector("input");
const line = document.getElementById("preview");

const PAUSE_MS = 120; // in typing, before it is read
const LIMIT_MS = 5000; // for loading and one answer; then the worker is ended
let worker = null;
let number = 0; // of the text that was read last; answers to older ones are dropped
let pause = 0;
let limit = 0;

function end() {
  clearTimeout(limit);
  worker?.terminate();
  worker = null;
}

function show(words, identity = "") {
  line.textContent = words;
  line.title = identity ? `Student ${identity}` : "";
  line.hidden = !words;
}

function said({ data }) {
  if (data.number !== number) return;
  clearTimeout(limit);
  if (data.absent) return show("");
  if (data.problem) { end(); return show(data.problem); }
  const intent = data.intent.replaceAll("_", " ");
  const odds = `p ${data.score.toFixed(2)}`;
  const by = `read in this browser by student ${data.identity.slice(0, 10)}`;
  return show(data.accepted ? `${intent} (${odds}) · ${by}` : `Not sure; nearest is ${intent} (${odds}) · ${by}`, data.identity);
}

function read(text) {
  number++;
  clearTimeout(limit);
  if (!text) return show("");
  if (!worker) {
    worker = new Worker("/student-worker.js", { type: "module" });
    worker.onmessage = said;
    worker.onerror = () => { end(); show("This browser cannot run the student."); };
  }
  limit = setTimeout(() => { end(); show("The student took too long in this browser."); }, LIMIT_MS);
  worker.postMessage({ number, text });
}

form.addEventListener("submit", (event) => { // the node's answer comes: another reading beside it would only confuse
  event.preventDefault();
  clearTimeout(pause);
  read("");
});

field.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(() => read(field.value.trim()), PAUSE_MS);
});
