// Asks a real YAML language server, over its standard streams, what an editor would ask. Reads a list of questions from a file
// (JSON: { schema, text, ask: "complete" | "hover" | "check", line, character }, both from 0), writes a list of answers:
// labels with their documentation, the hover text, or the messages with their lines.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const modules = process.env.BRUNT_TEST_NODE_MODULES_EDITOR;
const questions = JSON.parse(readFileSync(process.argv[2], "utf8"));
const server = spawn(process.execPath, [join(modules, "yaml-language-server/bin/yaml-language-server"), "--stdio"], {
  stdio: ["pipe", "pipe", "inherit"],
});

let buffer = Buffer.alloc(0);
let next = 1;
const waiting = new Map();
const diagnostics = new Map();

const send = (message) => {
  const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
  server.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
  server.stdin.write(body);
};
const request = (method, params) =>
  new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, { resolve, reject, method });
    send({ id, method, params });
  });

const settings = { validate: true, hover: true, completion: true, schemaStore: { enable: false }, format: { enable: false } };

const receive = (message) => {
  if (message.method === "textDocument/publishDiagnostics") {
    diagnostics.get(message.params.uri)?.(message.params.diagnostics);
  } else if (message.method === "workspace/configuration") {
    send({ id: message.id, result: message.params.items.map((item) => (item.section === "yaml" ? settings : null)) });
  } else if (message.id !== undefined && message.method) {
    send({ id: message.id, result: null });
  } else if (waiting.has(message.id)) {
    const { resolve, reject, method } = waiting.get(message.id);
    waiting.delete(message.id);
    message.error ? reject(new Error(`${method}: ${JSON.stringify(message.error)}`)) : resolve(message.result);
  }
};

server.stdout.on("data", (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  for (;;) {
    const head = buffer.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, head).toString())[1]);
    if (buffer.length < head + 4 + length) return;
    const body = buffer.subarray(head + 4, head + 4 + length).toString();
    buffer = buffer.subarray(head + 4 + length);
    receive(JSON.parse(body));
  }
});

await request("initialize", {
  processId: process.pid,
  rootUri: null,
  capabilities: {
    workspace: { configuration: true },
    textDocument: {
      completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
      hover: { contentFormat: ["markdown"] },
      publishDiagnostics: {},
    },
  },
});
send({ method: "initialized", params: {} });

const text = (documentation) => (typeof documentation === "string" ? documentation : (documentation?.value ?? ""));
const answers = [];
for (const [number, question] of questions.entries()) {
  const uri = `file:///question-${number}.brunt.yaml`;
  // The modeline is how people say which schema is meant.
  const lines = `# yaml-language-server: $schema=file://${question.schema}\n${question.text}`;
  const told = new Promise((resolve) => diagnostics.set(uri, resolve));
  send({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "yaml", version: 1, text: lines } } });
  const position = { line: (question.line ?? 0) + 1, character: question.character ?? 0 };
  if (question.ask === "check") {
    answers.push((await told).map((one) => ({ line: one.range.start.line - 1, message: one.message })));
  } else if (question.ask === "hover") {
    const hover = await request("textDocument/hover", { textDocument: { uri }, position });
    answers.push(text(hover?.contents));
  } else {
    const list = await request("textDocument/completion", { textDocument: { uri }, position });
    answers.push((list.items ?? list).map((item) => ({ label: item.label, about: text(item.documentation), insert: item.insertText ?? item.textEdit?.newText })));
  }
}
console.log(JSON.stringify(answers, null, 1));
server.kill();
