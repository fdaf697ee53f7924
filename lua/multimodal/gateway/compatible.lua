--- Any other server that speaks OpenAI's chat, or with `dialect` Gemini's or Anthropic's own form: what all of them understand.
return {
  name = "compatible",
  dialect = "openai",
  model_required = true,
  max_tokens_field = "max_tokens",
  stream_options = false,
  dialects = { gemini = {}, anthropic = { auth = "x-api-key", headers = { ["anthropic-version"] = "2023-06-01" } } },
}
