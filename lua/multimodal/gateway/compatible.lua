--- Any other server that speaks OpenAI's chat, or with `dialect` Anthropic's Messages: what all of them understand.
return {
  name = "compatible",
  dialect = "openai",
  dialects = {
    anthropic = { auth = "x-api-key", headers = { ["anthropic-version"] = "2023-06-01" } },
  },
  model_required = true,
  max_tokens_field = "max_tokens",
  stream_options = false,
}
