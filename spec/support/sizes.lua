--- How large the media of the heavy specs are: MULTIMODAL_SIZES=small (default) or full.
local full = os.getenv("MULTIMODAL_SIZES") == "full"
local MiB = 1024 * 1024

return {
  full = full,
  upload = full and 1024 * MiB or 16 * MiB,    -- a file inside a JSON body
  video = full and 200 * MiB or 16 * MiB,      -- a part of a prompt, and a data URL in a loaded file
  picture = full and 20 * MiB or 2 * MiB,      -- in one SSE event, in one JSON reply
  loop = full and 2000 or 50,                  -- replies with a picture of 2 MiB, none kept
  many = full and 3000 or 100,                 -- pictures of 100 KiB in one reply
  streams = full and 200 or 50,                -- at once, a second each
  tasks = full and 5000 or 200,                -- waited for at once
  cancels = full and 10000 or 500,             -- start and cancel
}
