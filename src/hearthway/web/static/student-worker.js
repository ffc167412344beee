// The student's own thread: only here may WebAssembly be compiled (the policy of this file's answer says so, not the page's),
// and the page ends it where an answer takes too long.
import { Runtime, StudentError, Tokenizer, identityOf, judge, readFile } from "/student.js";

let loading = null; // promises {identity, tokenizer, head, runtime}, or null where the node has no student

async function asked(path, cache = "default") {
  const answer = await fetch(path, { credentials: "same-origin", cache });
  if (!answer.ok) throw new StudentError("The node did not give its student.");
  return answer;
}

// The file as its identity says it is; one that lay spoilt in the browser's cache is asked for anew. null: there is none.
async function checked() {
  for (const cache of ["default", "reload"]) {
    const answer = await asked("/api/student/ask", cache);
    if (answer.status === 204) return null;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const identity = await identityOf(bytes);
    if (answer.headers.get("etag") === `"${identity}"`) return { bytes, identity };
  }
  throw new StudentError("The student arrived changed: its hash is another.");
}

async function load() {
  const [module, file] = await Promise.all([WebAssembly.compileStreaming(asked("/student.wasm")), checked()]);
  if (!file) return null;
  const { bytes, identity } = file;
  const runtime = new Runtime(module, bytes); // first: the module judges the file
  const { header, tensor } = readFile(bytes);
  const head = header.heads.find((one) => one.name === "intent" && one.kind === "class");
  if (header.input.kind !== "text" || !head) throw new StudentError("The student does not understand text.");
  return { identity, head, runtime, tokenizer: new Tokenizer(header.input, tensor(header.input.vocabulary)) };
}

self.onmessage = async ({ data: { number, text } }) => {
  try {
    loading ??= load();
    const ready = await loading;
    if (!ready) return self.postMessage({ number, absent: true });
    const { identity, head, runtime, tokenizer } = ready;
    const [outputs] = runtime.runAll([tokenizer.ids(text)]);
    return self.postMessage({ number, identity, ...judge(head, [...outputs[head.of]]) });
  } catch (problem) {
    return self.postMessage({ number, problem: problem instanceof StudentError ? problem.message : `The student failed: ${problem.message}` });
  }
};
