--- GLM-4V behind a proxy that speaks OpenAI's chat: text and images. Where it listens is for the user to say.
return {
  name = "glm",
  key_variable = "GLM_API_KEY",
  dialect = "openai",
  model_required = true,
  max_tokens_field = "max_tokens",
  reasoning = false,
  file = "none",
  audio = false,
}
