--- Anthropic: https://api.anthropic.com.
return {
  name = "anthropic",
  base_url = "https://api.anthropic.com/v1",
  key_variable = "ANTHROPIC_API_KEY",
  dialect = "anthropic",
  auth = "x-api-key",
  headers = { ["anthropic-version"] = "2023-06-01" },
  model_required = true,
  retries_conflicts = true,
  max_tokens_field = "max_tokens",
  stream_options = false,
  default_max_tokens = 4096,
  reasoning = "effort",
  upload = "anthropic",
  known_models = { { "claude-*", "text image file", "text" } },
  limits = {
    image = { count = 600, bytes = 5 * 1024 * 1024, pixels = 8000 },
    request = 32 * 1000 * 1000,
    temperature = { 0, 1 },
    top_p = { 0, 1 },
  },
}
