// The question goes to the node on Enter, and its answer stands here: the line, then what belongs to it, then where it is from.
const form = document.getElementById("ask");
const field = form.querySelector("input");
const line = document.getElementById("reply");
const more = document.getElementById("reply-more");
let number = 0; // of the question that was asked last: late answers to others are dropped

function show(words, rest) {
  line.textContent = words;
  line.hidden = !words;
  more.replaceChildren(...rest.map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  more.hidden = !rest.length;
}

function from(reply) {
  const sources = new Set(reply.sources.map((one) => `${one.key} from ${one.source || "here"}${one.rule ? `, rule ${one.rule}` : ""}`));
  return [...reply.more, ...sources];
}

async function asked(text) {
  const language = navigator.language.toLowerCase().startsWith("de") ? "de" : "en";
  const response = await fetch("/api/ask", {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text, language }),
  });
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(`${said.error || "The node refused."} ${said.next_step || ""}`.trim());
  return said;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = field.value.trim();
  const mine = ++number;
  if (!text) return show("", []);
  show("…", []);
  try {
    const reply = await asked(text);
    if (mine === number) show(reply.line, from(reply));
  } catch (why) {
    if (mine === number) show(why instanceof TypeError ? "The node does not answer. Try again in a moment." : why.message, []);
  }
});
