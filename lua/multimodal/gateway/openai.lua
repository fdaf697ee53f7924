--- OpenAI: https://api.openai.com.
return {
  name = "openai",
  base_url = "https://api.openai.com/v1",
  key_variable = "OPENAI_API_KEY",
  dialect = "openai",
  image_output = "images",
  model_required = true,
  retries_conflicts = true,
  max_tokens_field = "max_completion_tokens",
  stream_options = true,
  reasoning = "effort",
  file = "openai",
  audio_formats = { wav = true, mp3 = true },
  assistant_images = false,
  refuses = { top_k = true, aspect_ratio = true, image_size = true },
  limits = {
    image = { total = 50000000, types = { ["image/png"] = true, ["image/jpeg"] = true, ["image/webp"] = true, ["image/gif"] = true } },
    file = { types = { ["application/pdf"] = true } },
    temperature = { 0, 2 },
    stop = 4,
    metadata = 16,
  },
}
