--- Volcengine Ark: https://www.volcengine.com/docs/82379. Chat as OpenAI's, and videos as tasks.
return {
  name = "volcengine",
  base_url = "https://ark.cn-beijing.volces.com/api/v3",
  key_variable = "ARK_API_KEY",
  dialect = "openai",
  model_required = true,
  max_tokens_field = "max_tokens",
  stream_options = true,
  file = "none",
  video = true,
  tasks = { dialect = "ark" },
}
