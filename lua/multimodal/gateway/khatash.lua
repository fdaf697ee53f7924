--- Khatash: https://khatash.com/ai/api/docs. A layer over OpenRouter with files in a form of its own.
return {
  like = "openrouter",
  name = "khatash",
  base_url = "https://ai.khatash.com/api/v1",
  key_variable = "KHATASH_API_KEY",
  model_required = true,
  file = "khatash",
  tasks = false,
}
