--- OpenRouter: https://openrouter.ai. Many providers behind one address; what a model takes is the provider's matter.
return {
  name = "openrouter",
  base_url = "https://openrouter.ai/api/v1",
  key_variable = "OPENROUTER_API_KEY",
  dialect = "openai",
  max_tokens_field = "max_tokens",
  reasoning = "object",
  file = "openrouter",
  video = true,
  video_links = "youtube",
  mimes = { ["video/quicktime"] = "video/mov" },
  audio_formats = {
    wav = true, mp3 = true, aiff = true, aac = true, ogg = true, flac = true, m4a = true, pcm16 = true, pcm24 = true,
  },
  tool_media = true,
  models_query = { output_modalities = "all" },
  parses_pdf = true,
  limits = {
    image = { types = { ["image/png"] = true, ["image/jpeg"] = true, ["image/webp"] = true, ["image/gif"] = true } },
    video = { types = { ["video/mp4"] = true, ["video/mpeg"] = true, ["video/quicktime"] = true, ["video/webm"] = true } },
    audio = { bytes = 20 * 1024 * 1024 },
    file = { bytes = 100 * 1024 * 1024 },
    temperature = { 0, 2 },
    max_tokens = { 16 },
    session_id = { 1, 256 },
  },
  tasks = { dialect = "openrouter" },
}
