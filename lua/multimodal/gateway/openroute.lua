--- OpenRoute: https://openroute.cn. It speaks as OpenRouter does.
return {
  like = "openrouter",
  name = "openroute",
  base_url = "https://openroute.cn/api/v1",
  key_variable = "OPENROUTE_API_KEY",
  tasks = false,
}
