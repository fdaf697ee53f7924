--- Any other server that speaks OpenAI's chat: what all of them understand.
return {
  name = "compatible",
  dialect = "openai",
  model_required = true,
  max_tokens_field = "max_tokens",
  stream_options = false,
  dialects = { gemini = {} },
}
