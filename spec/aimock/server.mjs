// The fixtures of the aimock specs. Prints the URL on one line; ends when its standard input does.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.cwd()}/build/aimock/`));
const { LLMock } = require("@copilotkit/aimock");

// Videos are seen twice as queued, then as running, then as they end.
const life = { pollsBeforeInProgress: 3, pollsBeforeCompleted: 4 };
const mock = new LLMock({
  port: 0,
  logLevel: "silent",
  bytePlusVideo: life,
  openRouterVideo: life,
  veoVideo: life,
});

const sees = (request) =>
  request.messages.some((m) => Array.isArray(m.content) && m.content.some((p) => p.type === "image_url"));

mock.addFixture({ match: { userMessage: "What is shown?", predicate: sees }, response: { content: "A red cat." } });
mock.addFixture({ match: { userMessage: "hello" }, response: { content: "Hi there!" } });
mock.addFixture({
  match: { userMessage: "unicode" },
  response: { content: "سلام‌دنیا 你好 안녕 👩‍👩‍👧 café" },
  chunkSize: 1,
  openRouterProcessing: true,
});
mock.addFixture({
  match: { userMessage: "slow down" },
  response: { error: { message: "Rate limit reached", type: "rate_limit_error", code: "rate_limit_exceeded" }, status: 429, retryAfter: 7 },
});
mock.addFixture({
  match: { userMessage: "bad key" },
  response: { error: { message: "Incorrect API key provided", type: "invalid_request_error", code: "invalid_api_key" }, status: 401 },
});
mock.addFixture({
  match: { userMessage: "broken" },
  response: { error: { message: "The server had an error", type: "server_error" }, status: 500 },
});
mock.addFixture({ match: { userMessage: "too long" }, response: { content: "It was a dark and", finishReason: "length" } });
mock.addFixture({ match: { userMessage: "forbidden" }, response: { content: "", finishReason: "content_filter" } });
mock.addFixture({
  match: { userMessage: "cut me off" },
  response: { content: "one two three four five six seven eight nine ten" },
  chunkSize: 5,
  latency: 20,
  truncateAfterChunks: 4,
});
mock.addFixture({
  match: { userMessage: "usage" },
  response: { content: "Counted.", usage: { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13 } },
});

// Two parallel calls, and a second turn that is found by both of their results alone.
const answers = (request) => request.messages.filter((m) => m.role === "tool").map((m) => m.content);
mock.addFixture({
  match: { userMessage: "Compare the weather", predicate: (r) => answers(r).length === 0 },
  response: {
    content: "I ask.",
    toolCalls: [
      { id: "call_paris", name: "weather", arguments: '{"city":"Paris"}' },
      { id: "call_oslo", name: "weather", arguments: '{"city":"Ōsló 🌨"}' },
    ],
  },
  chunkSize: 3,
});
mock.addFixture({
  match: { userMessage: "Compare the weather", predicate: (r) => answers(r).join("|") === '{"sky":"Paris"}|Error: no Ōsló 🌨' },
  response: { content: "Paris is sunny; the other I cannot find." },
});
// Gemini's failure stands in a member of its own.
mock.addFixture({
  match: { userMessage: "Compare the weather", predicate: (r) => answers(r).join("|") === '{"sky":"Paris"}|{"error":"no Ōsló 🌨"}' },
  response: { content: "Paris is sunny; the other I cannot find." },
});
// Its pictures are left out before a predicate could see them.
mock.addFixture({ match: { userMessage: "What is attached?" }, response: { content: "A red cat." } });
mock.addFixture({
  match: { userMessage: "think first" },
  response: { content: "Four.", reasoning: "Two and two make four." },
  chunkSize: 4,
  openRouterProcessing: true,
});
mock.addFixture({
  match: { userMessage: "an order", responseFormat: "json_schema" },
  response: { content: '{"customer":"Acme","pieces":40}' },
  chunkSize: 1,
});
mock.addFixture({
  match: { userMessage: "Say again: " },
  response: (request) => ({ content: request.messages.at(-1).content.slice("Say again: ".length) }),
  chunkSize: 1,
  openRouterProcessing: true,
});
mock.addFixture({
  match: { userMessage: "what it costs" },
  response: { content: "A little.", usage: { prompt_tokens: 11, completion_tokens: 2, total_tokens: 13, cost: 0.00125 } },
  openRouterProcessing: true,
});

// Anthropic's failure is a flag beside the text, which the mock leaves out; so does it pictures, before a predicate sees them.
mock.addFixture({
  match: { userMessage: "Compare the weather", predicate: (r) => answers(r).join("|") === '{"sky":"Paris"}|no Ōsló 🌨' },
  response: { content: "Paris is sunny; the other I cannot find." },
});
mock.addFixture({ match: { userMessage: "What is enclosed?" }, response: { content: "A red cat." } });

// A conversation that crosses the dialects: a call, and then what the mock saw of all that was said before, whoever said it.
const last = (request) => request.messages.at(-1).role;
mock.addFixture({
  match: { userMessage: "Ask of Paris", predicate: (r) => last(r) !== "tool" },
  response: { content: "I ask.", toolCalls: [{ name: "weather", arguments: '{"city":"Paris"}' }] },
  chunkSize: 3,
});
const said = (m) =>
  [m.role, m.content || "", ...(m.tool_calls ?? []).map((c) => `${c.function.name}${c.function.arguments}`)].filter((x) => x).join(" ");
mock.addFixture({
  match: { userMessage: "Ask of Paris", predicate: (r) => last(r) === "tool" },
  response: (request) => ({ content: request.messages.map(said).join("; ") }),
});

// A picture, from the endpoint for pictures: chat has no words for one here.
const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
mock.onImage("A red dot", { images: [{ b64Json: dot, revisedPrompt: "A small red dot" }] });

// Tasks of Ark: each fixture is what the last look shows. A prompt that names a link gets it as its video.
const ark = (words, envelope) =>
  mock.addFixture({
    match: { userMessage: words, endpoint: "video" },
    response: (request) => ({ json: envelope(request.messages.at(-1).content) }),
  });
const seconds = () => Math.floor(Date.now() / 1000);
ark("a clip from http", (said) => ({
  model: "doubao-seedance-1-0-pro-250528",
  status: "succeeded",
  content: { video_url: said.match(/http\S+/)[0] },
  usage: { completion_tokens: 108900, total_tokens: 108900 },
  created_at: seconds() - 60,
  updated_at: seconds(),
  seed: 0,
  duration: 5,
}));
ark("a clip that fails", () => ({ status: "failed", error: { code: "InternalServiceError", message: "It broke." } }));
ark("a clip that is filtered", () => ({
  status: "failed",
  error: { code: "OutputVideoSensitiveContentDetected", message: "It may not be." },
}));
ark("a clip that expires", () => ({ status: "expired" }));
ark("a clip that is cancelled", () => ({ status: "cancelled" }));
mock.addFixture({
  match: { userMessage: "a clip too many", endpoint: "video" },
  response: { error: { message: "Slow down", code: "RateLimitExceeded.EndpointRPMExceeded" }, status: 429 },
});

// OpenRouter's video has its bytes behind the key; Veo's operation names a link.
mock.addFixture({
  match: { userMessage: "a routed clip", endpoint: "video" },
  response: { video: { id: "v", status: "completed", b64: Buffer.from("a clip of bytes").toString("base64"), cost: 0.25 } },
});
mock.addFixture({
  match: { userMessage: "a routed failure", endpoint: "video" },
  response: { video: { id: "v", status: "failed", error: "It broke." } },
});
mock.addFixture({
  match: { userMessage: "a clip of Veo", endpoint: "video" },
  response: { video: { id: "v", status: "completed", url: "https://files.example/v.mp4" } },
});
mock.addFixture({
  match: { userMessage: "a failure of Veo", endpoint: "video" },
  response: { video: { id: "v", status: "failed", error: "It broke." } },
});

await mock.start();
console.log(mock.url);
process.stdin.resume();
process.stdin.on("end", () => mock.stop().then(() => process.exit(0)));
