--- YouRouter: https://docs.yourouter.ai.
return {
  name = "yourouter",
  base_url = "https://api.yourouter.ai/v1",
  key_variable = "YOUROUTER_API_KEY",
  dialect = "openai",
  model_required = true,
  max_tokens_field = "max_tokens",
  stream_options = true,
  reasoning = "effort",
  file = "openai",
  audio_formats = { wav = true, mp3 = true },
  warns = { file = "yourouter documents files in Gemini's own dialect alone; the model may not see it" },
  tasks = { dialect = "ark", base_url = "https://api.yourouter.ai/api/v3", params_style = "inline" },
  limits = { temperature = { 0, 2 }, stop = 4 },
  dialects = {
    gemini = {
      prefix = "/projects/cognition/locations/us/publishers/google", headers = { vendor = "google" }, buckets = { gs = true },
      warns = {},
      limits = require("multimodal.gateway.google").limits,
    },
    anthropic = {
      headers = { ["anthropic-version"] = "2023-06-01", vendor = "anthropic" }, warns = {},
      limits = require("multimodal.gateway.anthropic").limits,
    },
  },
}
