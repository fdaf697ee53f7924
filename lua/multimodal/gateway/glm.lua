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
  known_models = {
    { "glm-5v-turbo", "text image video file", "text" }, { "glm-4.6v", "text image video file", "text" },
    { "glm-4.6v-flash", "text image video file", "text" }, { "glm-4.6v-flashx", "text image video file", "text" },
    { "glm-4.5v", "text image video file", "text" }, { "glm-4.1v-thinking-flash", "text image video", "text" },
    { "glm-4.1v*", "text image video", "text" }, { "glm-4v-plus", "text image video", "text" },
    { "glm-4v*", "text image video", "text" }, { "autoglm-phone-multilingual", "text image", "text" },
    { "glm-5.1", "text", "text" }, { "glm-5", "text", "text" }, { "glm-4.7", "text", "text" }, { "glm-4.6", "text", "text" },
    { "glm-4.5", "text", "text" }, { "glm-4.5-air", "text", "text" }, { "glm-4.5-x", "text", "text" },
    { "glm-4.5-airx", "text", "text" }, { "glm-4.5-flash", "text", "text" },
    { "glm-image", "text", "image" }, { "cogview-4-250304", "text", "image" }, { "cogview*", "text", "image" },
    { "cogvideox-3", "text image", "video" }, { "vidu*", "text image", "video" }, { "glm-asr-2512", "audio", "text" },
  },
}
