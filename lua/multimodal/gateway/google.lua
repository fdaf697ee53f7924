--- Google AI Studio, the Gemini API: https://ai.google.dev.
return {
  name = "google",
  base_url = "https://generativelanguage.googleapis.com/v1beta",
  key_variable = "GEMINI_API_KEY",
  auth = "x-goog-api-key",
  dialect = "gemini",
  model_required = true,
  count = "wrapped",
  upload = "gemini",
  models_query = { pageSize = "1000" },
  tasks = { dialect = "veo" },
  known_models = {
    { "gemini-2.5-flash", "text image audio video file", "text" }, { "gemini-2.5-pro", "text image audio video file", "text" },
    { "gemini-2.5-flash-lite", "text image audio video file", "text" }, { "gemini-2.5-flash-image*", "text image", "text image" },
    { "gemini-3-pro-image*", "text image", "text image" }, { "gemini-2.5-flash-preview-tts", "text", "audio" },
    { "gemini-2.5-pro-preview-tts", "text", "audio" }, { "imagen*", "text", "image" }, { "veo*", "text image", "video" },
    { "gemma*", "text image", "text" },
  },
}
