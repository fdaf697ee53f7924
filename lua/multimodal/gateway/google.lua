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
  limits = {
    image = { count = 3600, types = {
      ["image/png"] = true, ["image/jpeg"] = true, ["image/webp"] = true, ["image/heic"] = true, ["image/heif"] = true,
    } },
    audio = { types = {
      ["audio/wav"] = true, ["audio/x-wav"] = true, ["audio/wave"] = true, ["audio/vnd.wave"] = true, ["audio/mp3"] = true,
      ["audio/mpeg"] = true, ["audio/aiff"] = true, ["audio/x-aiff"] = true, ["audio/aac"] = true, ["audio/ogg"] = true,
      ["audio/flac"] = true, ["audio/x-flac"] = true,
    } },
    video = { types = {
      ["video/mp4"] = true, ["video/mpeg"] = true, ["video/mpg"] = true, ["video/mov"] = true, ["video/quicktime"] = true,
      ["video/avi"] = true, ["video/x-msvideo"] = true, ["video/x-flv"] = true, ["video/webm"] = true, ["video/wmv"] = true,
      ["video/x-ms-wmv"] = true, ["video/3gpp"] = true,
    } },
  },
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
