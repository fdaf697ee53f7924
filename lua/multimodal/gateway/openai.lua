--- OpenAI: https://api.openai.com.
return {
  name = "openai",
  base_url = "https://api.openai.com/v1",
  key_variable = "OPENAI_API_KEY",
  dialect = "openai",
  model_required = true,
  max_tokens_field = "max_completion_tokens",
  stream_options = true,
}
