--- @meta
--- The neutral shapes that prompt, dialect, reply and client share. Annotations only; nothing requires this file.

--- A part of a message. Media are objects of multimodal/media.lua; text and raw parts are plain tables.
--- @class multimodal.TextPart
--- @field type "text"
--- @field text string
--- @field extra table?        further fields of the part on the wire

--- A part in a dialect's own form, sent as it is.
--- @class multimodal.RawPart
--- @field type string

--- @class multimodal.Media
--- @field kind "image"|"audio"|"video"|"file"
--- @field blob userdata?      core.blob, once the bytes are here
--- @field url string?         http(s), s3, gs: when it is a link
--- @field path string?        when it is a file that is not opened yet
--- @field options table       detail, mime, filename, role, extra ...: what was written beside the source
--- @field transcript string?  of audio
--- @field id string?          the provider's id of it

--- @class multimodal.Message
--- @field role "system"|"user"|"assistant"|"tool"
--- @field content (multimodal.TextPart|multimodal.Media|multimodal.RawPart)[]
--- @field plain boolean?      the content was one string and goes out as one
--- @field name string?
--- @field tool_calls multimodal.ToolCall[]?
--- @field tool_call_id string?   of a tool message
--- @field tool_name string?      of a tool message: the tool that was called
--- @field error boolean?         a tool message that tells of a failure
--- @field dialect string?        the dialect it came from, with `native`
--- @field native any?            what must go back to that dialect exactly as received (core.raw text or tables of it)
--- @field extra table?           further fields of the message on the wire
--- @field wire table?            the whole message, where the user wrote it in OpenAI's form

--- @class multimodal.ToolCall
--- @field id string
--- @field name string
--- @field arguments table?       nil where they are no JSON object
--- @field arguments_raw string

--- @class multimodal.Prompt
--- @field messages multimodal.Message[]
--- @field options table          the effective options: client, derived client, prompt, call; the nearest won
--- @field stream boolean?        the answer is to be streamed
--- @field raw table?             a request that goes out as it is (mm.raw, mm.load)

--- What a gateway is to a dialect: its data file, or a user's table. client/profile.lua lists the other fields.
--- @class multimodal.Profile
--- @field name string
--- @field max_tokens_field string
--- @field stream_options boolean

--- What a dialect makes of a prompt.
--- @class multimodal.DialectRequest
--- @field method string
--- @field path string           appended to base_url
--- @field query table?
--- @field headers table?        name -> value
--- @field body table            Lua table with media marks (core.data_url_of, core.base64_of), core.array, core.null
--- @field stream boolean

--- One neutral event of a stream; see wire-native D3. Index counts from 0.
--- A stream adds `done` with its reply, and between the steps of a tool loop `tool_result` and `step`.
--- @class multimodal.Delta
--- @field type "start"|"text"|"reasoning"|"image"|"audio"|"tool_start"|"tool_delta"|"tool_end"|"usage"|"finish"|"tool_result"|"step"|"done"
--- @field delta string?         of text, reasoning, audio (bytes), tool_delta
--- @field index integer?        of image, tool_*
--- @field part multimodal.Media?  of image
--- @field call multimodal.ToolCall?  of tool_end, tool_result
--- @field value any             of tool_result: what the tool returned
--- @field error string?         of tool_result: what failed, as the model reads it
--- @field reply multimodal.Reply?  of step, whose index is its place in reply.steps, from 1; of done
--- @field id string?            of start, tool_start
--- @field model string?         of start
--- @field name string?          of tool_start
--- @field usage multimodal.Usage?
--- @field reason string?        of finish
--- @field raw string?           of finish

--- @class multimodal.Usage
--- @field input_tokens integer
--- @field output_tokens integer
--- @field total_tokens integer
--- @field cached_tokens integer?
--- @field cache_write_tokens integer?
--- @field reasoning_tokens integer?
--- @field cost number?          only as the gateway told it

--- What a driver makes of a request: both wait (suspend in a job, block outside).
--- @class multimodal.Exchange
--- @field head fun(self, deadline: number?): integer?, table|multimodal.Error    status, headers; nil, "again" past the deadline
--- @field next fun(self): table?, multimodal.Error?            the next core event; nil alone is the end
--- @field next_text fun(self): string?, string?               text; nil, "event" when next() must take it; nil, err; nil alone is the end
--- @field progress fun(self): integer, integer                 bytes sent, received
--- @field timing fun(self): table
--- @field close fun(self)                                     the socket closes at once
--- @field leave fun(self)                                     read to its end mark: the connection may be used again
--- @field done (fun()|false)?                                 set by who asked: called when it is closed or left; may be called again

--- How a dialect is used. All functions are pure; errors are multimodal.Error, returned.
--- @class multimodal.Dialect
--- @field name string
--- @field by_turns boolean?      what one side says in a row is one turn, so that words may stand before the results of tools
--- @field text table            decoder text option {path, ignore, same}: where the text of a plain delta lives
--- @field encode fun(prompt: multimodal.Prompt, profile: multimodal.Profile): multimodal.DialectRequest?, multimodal.Error?, string[]
--- @field takes? fun(part: multimodal.Media, profile: multimodal.Profile, place: string): boolean?, multimodal.Error?
---   whether there are words for a part at all, before its bytes are fetched or uploaded
--- @field decode fun(event: table): multimodal.Neutral?, multimodal.Error?     a whole body: {data = JSON text, media = blobs}
--- @field begin fun(): table                                        a state for one stream
--- @field delta fun(state: table, event: table): multimodal.Delta[]?, multimodal.Error?
--- @field text_delta fun(state: table, text: string): string        what the text path handed out, instead of delta; what to tell of it
--- @field ended fun(state: table): boolean                          the end mark came: do not wait for the end of the body
--- @field finish fun(state: table): multimodal.Neutral?, multimodal.Error?  no more events: complete, or kind truncated
--- @field partial fun(state: table): multimodal.Neutral             what has arrived so far
--- @field exact? fun(state: table): table                           the whole body accumulated, with nulls and numbers as they came
--- @field failure fun(status: integer, headers: table, event: table): multimodal.Error  a non-2xx body, or an error in a 2xx
--- @field count? function       as encode: the request for a number of tokens
--- @field counted? fun(event: table): integer?                      reads its answer

--- What a dialect read, before reply/reply.lua makes the Reply of it.
--- @class multimodal.Neutral
--- @field choices multimodal.Choice[]   by index, at least one
--- @field id string?
--- @field model string?
--- @field usage multimodal.Usage?
--- @field raw table                     the body, or the same shape accumulated from the stream
--- @field warnings string[]

--- @class multimodal.Choice
--- @field text string                  "" when none
--- @field parts (multimodal.TextPart|multimodal.Media)[]
--- @field reasoning string?
--- @field refusal string?
--- @field citations table[]
--- @field tool_calls multimodal.ToolCall[]
--- @field finish_reason string
--- @field finish_reason_raw string?
--- @field message multimodal.Message   what goes back into the history: signatures and all
