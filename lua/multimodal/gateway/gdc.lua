--- Gemini on Google Distributed Cloud: an endpoint of the organisation, a project, and a token that lives for a short time.
--- The location of a project is the project itself unless `location` says otherwise.
return {
  name = "gdc",
  base_url = "https://{endpoint}/v1/projects/{project}/locations/{location}",
  location = "project",
  key_variable = "GDC_TOKEN",
  dialect = "openai",
  max_tokens_field = "max_tokens",
  reasoning = false,
  file = "openai",
  video = true,
  buckets = { s3 = true },
  mimes = { ["text/markdown"] = "text/md" },
  limits = {
    file = {
      count = 100,
      bytes = 50000000,
      types = {
        ["text/css"] = true, ["text/csv"] = true, ["text/html"] = true, ["text/javascript"] = true, ["text/markdown"] = true,
        ["application/pdf"] = true, ["text/x-python"] = true, ["text/rtf"] = true, ["text/plain"] = true, ["text/xml"] = true,
      },
    },
  },
}
