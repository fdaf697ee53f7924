--- Gemini on Vertex AI: a project, a location ("global", "us", "eu" or a region such as "europe-west1"), and a token that lives
--- for a short time. Without a project it is Vertex in express mode, with a key.
return {
  name = "vertex",
  base_url = "https://{location}-aiplatform.googleapis.com/v1/projects/{project}/locations/{location}/publishers/google",
  base_urls = {
    global = "https://aiplatform.googleapis.com/v1/projects/{project}/locations/global/publishers/google",
    us = "https://aiplatform.us.rep.googleapis.com/v1/projects/{project}/locations/us/publishers/google",
    eu = "https://aiplatform.eu.rep.googleapis.com/v1/projects/{project}/locations/eu/publishers/google",
  },
  options = { location = "global" },
  key_variable = "VERTEX_TOKEN",
  dialect = "gemini",
  model_required = true,
  buckets = { gs = true },
  studio_files = false,
  call_ids = false,
  tasks = { dialect = "veo", vertex = true },
  known_models = require("multimodal.gateway.google").known_models,
  projectless = {
    base_url = "https://aiplatform.googleapis.com/v1/publishers/google", base_urls = {}, auth = "x-goog-api-key",
    key_variable = "GOOGLE_API_KEY",
  },
}
