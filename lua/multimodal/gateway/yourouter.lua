--- YouRouter: https://docs.yourouter.ai.
return {
  name = "yourouter",
  base_url = "https://api.yourouter.ai/v1",
  key_variable = "YOUROUTER_API_KEY",
  dialect = "openai",
  model_required = true,
  max_tokens_field = "max_tokens",
  stream_options = true,
}
